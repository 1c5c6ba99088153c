// Reads the small, fixed grammars of file headers (JSON of safetensors, Python literals of npy) from
// untrusted bytes: a cursor that never moves past the end and remembers the first complaint.
//
// A general JSON library would have to be bent to refuse duplicate names, floats and deep nesting; the
// header of safetensors nests exactly two levels, so nothing here recurses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace engram::storage {

class HeaderReader {
 public:
  // `what` names the file part in messages.
  HeaderReader(std::string_view text, std::string what) : text_(text), what_(std::move(what)) {}

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  // Records the first complaint, with the position; always returns false.
  bool complain(const std::string& message);

  bool at_end() const { return at_ == text_.size(); }
  void skip_space();
  // True, and past it, when the next character after white space is `c`.
  bool accept(char c);
  // As accept, but its absence is a complaint.
  bool expect(char c);
  // True, and past it, when `word` follows after white space.
  bool accept_word(std::string_view word);
  // A JSON string with its escapes, as UTF-8.
  bool json_string(std::string& out);
  // A quoted Python string without escapes.
  bool python_string(std::string& out);
  // A decimal integer without sign or leading zero that fits 64 bits.
  bool integer(uint64_t& out);
  // What is left consists of `c` alone.
  bool only(char c);

 private:
  bool escape(std::string& out);
  bool code_unit(uint32_t& out);

  std::string_view text_;
  std::string what_;
  size_t at_ = 0;
  Status status_;
};

// True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

// A name from a file as it may stand in a message: in single quotes, on one line, cut where it is long.
std::string printable(std::string_view text);

}  // namespace engram::storage
