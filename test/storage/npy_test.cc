// Fixtures follow NumPy's published format (NEP 1): magic, version, header length, dictionary, data.
#include "storage/npy.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "support/temporary_folder.h"

namespace engram::storage {
namespace {

// A version-1.0 file with the header padded as NumPy does.
std::string file_of(std::string dictionary, const std::string& data, char major = 1) {
  const size_t before = major == 1 ? 10 : 12;
  dictionary.append((64 - (before + dictionary.size() + 1) % 64) % 64, ' ');
  dictionary += '\n';
  std::string out("\x93NUMPY", 6);
  out += major;
  out += '\0';
  for (size_t i = 0; i < before - 8; ++i) out += static_cast<char>(dictionary.size() >> (8 * i) & 0xFF);
  return out + dictionary + data;
}

struct Parsed {
  std::vector<uint64_t> words;
  Result<NpyArray> result;
};

Parsed parse(const std::string& text) {
  std::vector<uint64_t> words(text.size() / 8 + 1);
  std::memcpy(words.data(), text.data(), text.size());
  Result<NpyArray> result = parse_npy({reinterpret_cast<const std::byte*>(words.data()), text.size()});
  return {std::move(words), std::move(result)};
}

const char kTwoFloats[] = "\x00\x00\x80\x3f\x00\x00\x00\x40";  // 1.0f, 2.0f

TEST_CASE("files of versions 1 to 3 are read, keys in any order") {
  const std::string data(kTwoFloats, 8);
  for (const char major : {1, 2, 3}) {
    for (const char* dictionary : {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }",
                                   "{\"shape\":(1,2),\"descr\":\"<f4\",\"fortran_order\":False}"}) {
      const Parsed parsed = parse(file_of(dictionary, data, major));
      REQUIRE_MESSAGE(parsed.result.ok(), parsed.result.status().message());
      const NpyArray& array = parsed.result.value();
      CHECK(array.dtype == Dtype::kF32);
      CHECK(array.shape == std::vector<uint64_t>{1, 2});
      CHECK(std::memcmp(array.data, kTwoFloats, 8) == 0);
    }
  }
  CHECK(parse(file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", std::string(8, 'x')))
            .result.ok());
  CHECK(parse(file_of("{'descr': '|u1', 'fortran_order': True, 'shape': (3,), }", "abc")).result.ok());
  CHECK(parse(file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }", "")).result.ok());
}

TEST_CASE("the writer's bytes are what NumPy writes") {
  const testing::TemporaryFolder folder;
  const float data[] = {1.0F, 2.0F};
  const std::span<const std::byte> piece = std::as_bytes(std::span(data));
  const uint64_t matrix[] = {1, 2};
  REQUIRE(write_npy(folder.file("m"), Dtype::kF32, matrix, std::span(&piece, 1)).ok());
  CHECK(testing::read_file(folder.file("m")) ==
        file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", std::string(kTwoFloats, 8)));
  const uint64_t list[] = {2};
  REQUIRE(write_npy(folder.file("v"), Dtype::kF32, list, std::span(&piece, 1)).ok());
  CHECK(testing::read_file(folder.file("v")) ==
        file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", std::string(kTwoFloats, 8)));
  CHECK(write_npy(folder.file("b"), Dtype::kBF16, list, std::span(&piece, 1)).code() == StatusCode::kType);
  CHECK(folder.entries() == 2);
}

TEST_CASE("the file of a vector, byte by byte") {
  const testing::TemporaryFolder folder;
  const uint16_t data[] = {0x0102, 0x0304};
  const std::span<const std::byte> piece = std::as_bytes(std::span(data));
  const uint64_t list[] = {2};
  REQUIRE(write_npy(folder.file("v"), Dtype::kU16, list, std::span(&piece, 1)).ok());
  const std::string expected =
      std::string("\x93NUMPY\x01\x00\x76\x00", 10) +                    // 1.0; 118 bytes of header follow
      "{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }" +     // 57 characters
      "                                                            \n"  // 60 spaces and the end: 128 in all
      "\x02\x01\x04\x03";
  CHECK(testing::read_file(folder.file("v")) == expected);
}

TEST_CASE("hostile files are refused with a reason") {
  struct Case {
    std::string file;
    const char* says;
  };
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  const std::string data(kTwoFloats, 8);
  const Case cases[] = {
      {"", "magic"},
      {"\x93"
       "NUMPX\x01 aaaa",
       "magic"},
      {std::string("\x93NUMPY\x04\x00\x10\x00\x00\x00", 12), "version 4.0"},
      {std::string("\x93NUMPY\x01\x01\x10\x00", 10), "version 1.1"},
      {std::string("\x93NUMPY\x01\x00\xff\xff", 10), "truncated"},
      {std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12), "claims"},
      {file_of("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", data), "'|O'"},
      {file_of("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", data), "'>f4'"},
      {file_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", data), "structured"},
      {file_of("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1, 2), }", data + data), "Fortran"},
      {file_of("{'descr': '<f4', 'fortran_order': maybe, 'shape': (2,), }", data), "True or False"},
      {file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2), }", data), "','"},
      {file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", data), "non-negative"},
      {file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", data),
       "64 bits"},
      {file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", data),
       "64 bits"},
      {file_of("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", data),
       "occurs twice"},
      {file_of("{'descr': '<f4', 'shape': (2,), }", data), "missing"},
      {file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", data), "unknown key"},
      {file_of(good + " import os", data), "follows"},
      {file_of(good, data + "x"), "needs 8 bytes"},
      {file_of(good, data.substr(1)), "needs 8 bytes"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.says);
    const Status status = parse(c.file).result.status();
    CHECK(status.code() == StatusCode::kFormat);
    CHECK_MESSAGE(status.message().find(c.says) != std::string::npos, status.message());
  }
  const std::string whole = file_of(good, data);
  CHECK(parse(whole).result.ok());
  for (size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(parse(whole.substr(0, size)).result.ok());
}

}  // namespace
}  // namespace engram::storage
