// Floats go through a stream and strtod_l, both bound to the "C" locale, since the <charconv> of floats needs
// a newer libstdc++ than engram asks of the user's machine.
#include "base/numbers.h"

#include <locale.h>
#include <stdlib.h>

#include <charconv>
#include <limits>
#include <locale>
#include <sstream>

namespace engram {
namespace {

locale_t plain_locale() {
  static const locale_t locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
  return locale;
}

template <typename Float>
std::string print_float(Float value) {
  for (int digits = std::numeric_limits<Float>::digits10;; ++digits) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(digits);
    out << value;
    Float read = 0;
    const bool exact = parse_number(out.str(), read) && read == value;
    if (exact || digits == std::numeric_limits<Float>::max_digits10) return out.str();
  }
}

bool ends_at(const std::string& text, const char* end) {
  return !text.empty() && end == text.data() + text.size();
}

template <typename Integer>
bool parse_integer(const std::string& text, Integer& out) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
  return result.ec == std::errc() && ends_at(text, result.ptr);
}

}  // namespace

std::string print_number(float value) { return print_float(value); }
std::string print_number(double value) { return print_float(value); }

bool parse_number(const std::string& text, float& out) {
  char* end = nullptr;
  out = ::strtof_l(text.c_str(), &end, plain_locale());
  return ends_at(text, end);
}

bool parse_number(const std::string& text, double& out) {
  char* end = nullptr;
  out = ::strtod_l(text.c_str(), &end, plain_locale());
  return ends_at(text, end);
}

bool parse_number(const std::string& text, uint32_t& out) { return parse_integer(text, out); }
bool parse_number(const std::string& text, uint64_t& out) { return parse_integer(text, out); }

}  // namespace engram
