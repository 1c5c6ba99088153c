// Fixtures are written by hand from the published layout: u64 little-endian header length, JSON header, data.
#include "storage/safetensors.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "support/temporary_folder.h"

namespace engram::storage {
namespace {

// Bytes in 8-aligned memory, as a mapped file has them.
class Bytes {
 public:
  explicit Bytes(const std::string& text) : words_(text.size() / 8 + 1), size_(text.size()) {
    std::memcpy(words_.data(), text.data(), text.size());
  }
  std::span<const std::byte> span() const {
    return {reinterpret_cast<const std::byte*>(words_.data()), size_};
  }

 private:
  std::vector<uint64_t> words_;
  size_t size_;
};

std::string length_prefix(uint64_t length) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(length >> (8 * i) & 0xFF);
  return out;
}

// A file whose header is padded with spaces to a multiple of 8.
std::string file_of(std::string json, const std::string& data) {
  json.append((8 - json.size() % 8) % 8, ' ');
  return length_prefix(json.size()) + json + data;
}

std::string floats(std::initializer_list<float> values) {
  std::string out(values.size() * 4, '\0');
  std::memcpy(out.data(), values.begin(), out.size());
  return out;
}

Status parse_status(const std::string& text) {
  const Bytes bytes(text);
  return parse_safetensors(bytes.span()).status();
}

TEST_CASE("a file laid out by hand is read") {
  // 1.0f is 00 00 80 3f, 2.0f is 00 00 00 40.
  const std::string header =
      "{\"__metadata__\":{\"who\":\"\\u00e9\\ud83d\\ude00\\n\"},"
      "\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
      " \"b\" : { \"shape\" : [ ] , \"data_offsets\" : [ 8 , 9 ] , \"dtype\" : \"U8\" } }";
  const Bytes bytes(file_of(header, std::string("\x00\x00\x80\x3f\x00\x00\x00\x40\x07", 9)));
  Result<SafetensorsFile> parsed = parse_safetensors(bytes.span());
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().message());
  const SafetensorsFile& file = parsed.value();
  CHECK(file.metadata.at("who") == "\xC3\xA9\xF0\x9F\x98\x80\n");
  REQUIRE(file.tensors.size() == 2);
  const TensorEntry* a = file.find("a");
  REQUIRE(a != nullptr);
  CHECK(a->shape == std::vector<uint64_t>{1, 2});
  float values[2];
  std::memcpy(values, a->data, 8);
  CHECK(values[0] == 1.0F);
  CHECK(values[1] == 2.0F);
  CHECK(file.find("b")->bytes == 1);
  CHECK(file.find("b")->shape.empty());
  CHECK(file.find("c") == nullptr);
}

TEST_CASE("the writer's bytes are the published layout, data at a multiple of 64") {
  const testing::TemporaryFolder folder;
  const float data[] = {1.0F, 2.0F};
  const TensorSource source{
      .name = "a",
      .dtype = Dtype::kF32,
      .shape = {2},
      .pieces = {std::as_bytes(std::span(data, 1)), std::as_bytes(std::span(data + 1, 1))}};
  REQUIRE(write_safetensors(folder.file("x"), std::span(&source, 1), {{"k", "q\"\\\x01"}}, false).ok());
  std::string json =
      "{\"__metadata__\":{\"k\":\"q\\\"\\\\\\u0001\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
      "offsets\":[0,8]}}";
  json.append(120 - json.size(), ' ');  // 8 + 120 = 2 * 64
  CHECK(testing::read_file(folder.file("x")) == length_prefix(120) + json + floats({1, 2}));
  CHECK(folder.entries() == 1);
}

TEST_CASE("the checksum is XXH3-64 as 16 hexadecimal digits") {
  const testing::TemporaryFolder folder;
  const TensorSource source{.name = "e", .dtype = Dtype::kU8, .shape = {0}, .pieces = {}};
  REQUIRE(write_safetensors(folder.file("x"), std::span(&source, 1), {}, true).ok());
  const std::string text = testing::read_file(folder.file("x"));
  // 2d06800538d394c2 is the published XXH3-64 of no bytes with seed 0.
  std::string json =
      "{\"__metadata__\":{\"engram.checksum.e\":\"2d06800538d394c2\"},"
      "\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}";
  json.append(120 - json.size(), ' ');
  CHECK(text == length_prefix(120) + json);
}

TEST_CASE("names from a file stand in messages shortened and on one line") {
  std::string name = "a\xC3\xA9";
  while (name.size() < 1000) name += "\xC3\xA9";
  const std::string message =
      parse_status(file_of("{\"\\n\\u0007" + name + "\":{\"dtype\":\"F32\",\"shape\":[1]}}", "")).message();
  CHECK(message.size() < 200);
  CHECK(message.find("'??a") != std::string::npos);
  CHECK(message.find("...'") != std::string::npos);
  // Cut between characters: "??a" and 38 two-byte letters are 79 bytes, a 39th would pass 80.
  CHECK(message.find("\xC3\xA9...'") != std::string::npos);
}

TEST_CASE("checksums are written, verified, and a flipped bit is found") {
  const testing::TemporaryFolder folder;
  const std::vector<float> data(1000, 0.5F);
  const TensorSource source{
      .name = "a", .dtype = Dtype::kF32, .shape = {10, 100}, .pieces = {std::as_bytes(std::span(data))}};
  REQUIRE(write_safetensors(folder.file("x"), std::span(&source, 1), {}, true).ok());
  std::string text = testing::read_file(folder.file("x"));
  const Bytes good(text);
  CHECK(verify_checksums(parse_safetensors(good.span()).value()).ok());
  text[text.size() - 100] ^= 1;
  const Bytes bad(text);
  const Status status = verify_checksums(parse_safetensors(bad.span()).value());
  CHECK(status.code() == StatusCode::kFormat);
  CHECK(status.message().find("'a'") != std::string::npos);
}

TEST_CASE("a checksum spans the pieces of a tensor and the parts they are written in") {
  const testing::TemporaryFolder folder;
  std::vector<std::byte> data(19 << 20);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 2654435761U >> 24);
  const std::span<const std::byte> all(data);
  const TensorSource whole{.name = "a", .dtype = Dtype::kU8, .shape = {data.size()}, .pieces = {all}};
  TensorSource cut = whole;
  cut.pieces = {all.first(1), all.subspan(1, 9 << 20), all.subspan(1 + (9 << 20))};
  uint64_t before = 0;
  const auto rising = [&before](uint64_t done, uint64_t total) {
    const bool rises = done >= before && done <= total;
    before = done;
    return rises;
  };
  REQUIRE(write_safetensors(folder.file("whole"), std::span(&whole, 1), {}, true, rising).ok());
  CHECK(before == data.size());
  REQUIRE(write_safetensors(folder.file("cut"), std::span(&cut, 1), {}, true).ok());
  const std::string text = testing::read_file(folder.file("whole"));
  CHECK((text == testing::read_file(folder.file("cut"))));
  const Bytes bytes(text);
  CHECK(verify_checksums(parse_safetensors(bytes.span()).value()).ok());
}

TEST_CASE("hostile files are refused with a reason") {
  const std::string entry = "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
  struct Case {
    const char* why;
    std::string file;
    const char* says;
  };
  const Case cases[] = {
      {"empty", "", "0 bytes"},
      {"short length", "\x01\x02", "2 bytes"},
      {"huge header", length_prefix(100'000'001) + "{}", "100000001"},
      {"header past the end", length_prefix(50) + "{}", "truncated"},
      {"length near 2^64", length_prefix(UINT64_MAX) + "{}", "claims"},
      {"not an object", file_of("[1]", ""), "'{'"},
      {"leading space", file_of(" {}", ""), "'{'"},
      {"invalid UTF-8", file_of("{\"\xC0\x80\":1}", ""), "UTF-8"},
      {"overlong UTF-8", file_of("{\"\xE0\x80\x80\":1}", ""), "UTF-8"},
      {"unterminated string", file_of("{\"a", ""), "without end"},
      {"control character", file_of("{\"a\nb\":1}", ""), "control character"},
      {"lone surrogate", file_of("{\"\\ud800\":1}", ""), "surrogate"},
      {"bad escape", file_of("{\"\\x\":1}", ""), "escape"},
      {"trailing comma", file_of("{" + entry + ",}", floats({1})), "expected"},
      {"text behind the header", file_of("{" + entry + "} x", floats({1})), "follows the header"},
      {"unknown dtype",
       file_of("{\"a\":{\"dtype\":\"F8\",\"shape\":[1],\"data_offsets\":[0,4]}}", floats({1})),
       "unknown dtype 'F8'"},
      {"unknown field", file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"x\":1}}", ""), "unknown field"},
      {"field twice", file_of("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", ""), "occurs twice"},
      {"missing field", file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", ""), "lacks"},
      {"one offset", file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", ""),
       "two numbers"},
      {"negative number",
       file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", floats({1})),
       "non-negative"},
      {"float number",
       file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", floats({1})),
       "expected"},
      {"leading zero",
       file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}", floats({1})),
       "leading zero"},
      {"number beyond 64 bits",
       file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,4]}}",
               floats({1})),
       "64 bits"},
      {"shape overflow",
       file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}",
               floats({1})),
       "64 bits"},
      {"shape and offsets disagree",
       file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", floats({1})),
       "shape of 8 bytes"},
      {"ends before it begins",
       file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,0]}}", floats({1})),
       "ends before"},
      {"truncated data",
       file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", floats({1})), "truncated"},
      {"trailing bytes", file_of("{" + entry + "}", floats({1, 2})), "4 bytes follow"},
      {"duplicate names",
       file_of("{" + entry + ",\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
               floats({1, 2})),
       "occurs twice"},
      {"duplicate metadata", file_of("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", ""), "occurs twice"},
      {"metadata that is no string", file_of("{\"__metadata__\":{\"k\":1}}", ""), "expected"},
      {"overlap",
       file_of("{" + entry + ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", "123456"),
       "overlaps"},
      {"hole",
       file_of("{" + entry + ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
               floats({1, 2, 3})),
       "hole"},
      {"misaligned",
       file_of("{\"z\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"F32\","
               "\"shape\":[1],\"data_offsets\":[1,5]}}",
               "12345"),
       "not aligned"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.why);
    const Status status = parse_status(c.file);
    CHECK(status.code() == StatusCode::kFormat);
    CHECK_MESSAGE(status.message().find(c.says) != std::string::npos, status.message());
  }
  CHECK(parse_status(file_of("{}", "")).ok());
}

TEST_CASE("every truncation of a good file is refused") {
  const std::string good =
      file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", floats({1, 2}));
  CHECK(parse_status(good).ok());
  for (size_t size = 0; size < good.size(); ++size) CHECK_FALSE(parse_status(good.substr(0, size)).ok());
}

TEST_CASE("a cancelled save leaves the old file and nothing else") {
  const testing::TemporaryFolder folder;
  testing::write_file(folder.file("x"), "old");
  const std::vector<std::byte> data(20 << 20);
  const TensorSource source{.name = "a", .dtype = Dtype::kU8, .shape = {data.size()}, .pieces = {data}};
  int calls = 0;
  const Status status = write_safetensors(folder.file("x"), std::span(&source, 1), {}, true,
                                          [&](uint64_t done, uint64_t total) {
                                            CHECK(total == data.size());
                                            CHECK(done <= total);
                                            return ++calls < 3;
                                          });
  CHECK(status.code() == StatusCode::kAborted);
  CHECK(testing::read_file(folder.file("x")) == "old");
  CHECK(folder.entries() == 1);
}

}  // namespace
}  // namespace engram::storage
