// Numbers as text, the same whatever locale the process has.
#pragma once

#include <cstdint>
#include <string>

namespace engram {

// The shortest decimal that reads back as the same number.
std::string print_number(float value);
std::string print_number(double value);

// False unless the whole text is one number.
bool parse_number(const std::string& text, float& out);
bool parse_number(const std::string& text, double& out);
bool parse_number(const std::string& text, uint32_t& out);
bool parse_number(const std::string& text, uint64_t& out);

}  // namespace engram
