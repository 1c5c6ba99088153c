#include "storage/header_reader.h"

#include <algorithm>

namespace engram::storage {
namespace {

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace

bool HeaderReader::complain(const std::string& message) {
  if (status_.ok())
    status_ = {StatusCode::kFormat, what_ + " at byte " + std::to_string(at_) + ": " + message};
  return false;
}

void HeaderReader::skip_space() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
    ++at_;
  }
}

bool HeaderReader::accept(char c) {
  skip_space();
  if (at_ == text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool HeaderReader::expect(char c) {
  if (!ok()) return false;
  return accept(c) || complain(std::string("expected '") + c + "'");
}

bool HeaderReader::accept_word(std::string_view word) {
  skip_space();
  if (text_.substr(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool HeaderReader::json_string(std::string& out) {
  out.clear();
  if (!expect('"')) return false;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return complain("control character in a string");
    ++at_;
    if (c != '\\') {
      out += c;
    } else if (!escape(out)) {
      return false;
    }
  }
  return complain("string without end");
}

bool HeaderReader::escape(std::string& out) {
  if (at_ == text_.size()) return complain("string without end");
  const char c = text_[at_++];
  switch (c) {
    case '"':
    case '\\':
    case '/': out += c; return true;
    case 'b': out += '\b'; return true;
    case 'f': out += '\f'; return true;
    case 'n': out += '\n'; return true;
    case 'r': out += '\r'; return true;
    case 't': out += '\t'; return true;
    case 'u': break;
    default: return complain("unknown escape in a string");
  }
  uint32_t code = 0;
  if (!code_unit(code)) return false;
  if (code >= 0xD800 && code < 0xDC00) {  // the first half of a surrogate pair
    uint32_t low = 0;
    if (text_.substr(at_, 2) != "\\u") return complain("lone surrogate in a string");
    at_ += 2;
    if (!code_unit(low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return complain("lone surrogate in a string");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  } else if (code >= 0xDC00 && code < 0xE000) {
    return complain("lone surrogate in a string");
  }
  append_utf8(out, code);
  return true;
}

bool HeaderReader::code_unit(uint32_t& out) {
  out = 0;
  for (int i = 0; i < 4; ++i) {
    if (at_ == text_.size()) return complain("string without end");
    const char c = text_[at_++];
    uint32_t digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<uint32_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<uint32_t>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      digit = static_cast<uint32_t>(c - 'A' + 10);
    else
      return complain("four hexadecimal digits must follow \\u");
    out = out * 16 + digit;
  }
  return true;
}

bool HeaderReader::python_string(std::string& out) {
  out.clear();
  skip_space();
  if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return complain("expected a string");
  const char quote = text_[at_++];
  while (at_ < text_.size() && text_[at_] != quote) {
    if (text_[at_] == '\\') return complain("escape in a string");
    out += text_[at_++];
  }
  if (at_ == text_.size()) return complain("string without end");
  ++at_;
  return true;
}

bool HeaderReader::integer(uint64_t& out) {
  skip_space();
  if (at_ == text_.size() || text_[at_] < '0' || text_[at_] > '9') {
    return complain("expected a non-negative integer");
  }
  if (text_[at_] == '0' && at_ + 1 < text_.size() && text_[at_ + 1] >= '0' && text_[at_ + 1] <= '9') {
    return complain("integer with a leading zero");
  }
  out = 0;
  while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
    const auto digit = static_cast<uint64_t>(text_[at_] - '0');
    if (out > (UINT64_MAX - digit) / 10) return complain("integer beyond 64 bits");
    out = out * 10 + digit;
    ++at_;
  }
  return true;
}

bool HeaderReader::only(char c) {
  while (at_ < text_.size() && text_[at_] == c) ++at_;
  return at_end();
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    size_t length = 0;
    uint32_t code = 0;
    if (lead < 0x80) {
      length = 1;
      code = lead;
    } else if (lead >= 0xC2 && lead < 0xE0) {
      length = 2;
      code = lead & 0x1FU;
    } else if (lead >= 0xE0 && lead < 0xF0) {
      length = 3;
      code = lead & 0x0FU;
    } else if (lead >= 0xF0 && lead < 0xF5) {
      length = 4;
      code = lead & 0x07U;
    } else
      return false;
    if (length > text.size() - i) return false;
    for (size_t j = 1; j < length; ++j) {
      const auto next = static_cast<unsigned char>(text[i + j]);
      if ((next & 0xC0U) != 0x80U) return false;
      code = (code << 6) | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    if (overlong || surrogate || code > 0x10FFFF) return false;
    i += length;
  }
  return true;
}

std::string printable(std::string_view text) {
  constexpr size_t kMost = 80;
  std::string out = "'";
  size_t length = std::min(text.size(), kMost);
  // Cut between characters, not within one: 10xxxxxx continues a UTF-8 sequence.
  while (length > 0 && length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U)
    --length;
  for (const char c : text.substr(0, length)) {
    const auto code = static_cast<unsigned char>(c);
    out += code < 0x20 || code == 0x7F ? '?' : c;
  }
  if (length < text.size()) out += "...";
  return out + "'";
}

}  // namespace engram::storage
