// Bytes around memory that nobody is to touch. Where they are read all the same they are poison; where they
// are written it is found later; the address sanitizer sees both at once.
#pragma once

#include <cstddef>

namespace engram::simulator {

void close_margin(std::byte* from, std::byte* to);
// Anything may be done with it again.
void open_margin(std::byte* from, std::byte* to);
// Opens it, and says whether nobody wrote to it.
bool margin_was_kept(std::byte* from, std::byte* to);

}  // namespace engram::simulator
