// Answers of a device beside double precision.
#pragma once

#include <cstdint>
#include <string>

#include "device/problem.h"

namespace engram::device_test {

// What is wrong with the answer, or nothing. At most `compared` queries are looked at, the first and the last
// among them.
std::string judge(const Problem& problem, const Answer& answer, uint64_t compared = 12);

}  // namespace engram::device_test
