// Every way in which a plugin cannot be used has a reason of its own, and none does harm.
#include "engine/device_plugin.h"

#include <doctest/doctest.h>

#include <string>

#include "support/temporary_folder.h"

namespace engram::engine {
namespace {

// Built beside this test, see CMakeLists.txt.
std::string plugin(const std::string& name) {
  return std::string(ENGRAM_TEST_PLUGINS) + "/lib" + name + ".so";
}

std::string reason(const std::string& path) {
  const Result<const EngramDeviceTable*> table = load_device_plugin(path);
  REQUIRE_FALSE(table.ok());
  CHECK(table.status().code() == StatusCode::kDevice);
  return table.status().message();
}

TEST_CASE("a plugin that is not there is a build without the CUDA backend") {
  CHECK(reason("") == "this build has no CUDA backend");
  CHECK(reason("/nowhere/libengram_cuda.so") == "this build has no CUDA backend");
}

TEST_CASE("a plugin is loaded by absolute path only") {
  CHECK(reason(".").find("absolute path") != std::string::npos);
}

TEST_CASE("a file that is no library is refused with the loader's reason") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("libengram_cuda.so");
  testing::write_file(path, "not a library");
  CHECK(reason(path).find("cannot be loaded") != std::string::npos);
  CHECK(reason(plugin("unresolved")).find("engram_not_defined_anywhere") != std::string::npos);
}

TEST_CASE("a library without the table is refused") {
  CHECK(reason(plugin("no_table")).find("is not a CUDA backend of engram") != std::string::npos);
}

TEST_CASE("a plugin of another version is refused, and both versions are told") {
  const std::string text = reason(plugin("other_version"));
  CHECK(text.find("version 2") != std::string::npos);
  CHECK(text.find("needs 1") != std::string::npos);
}

TEST_CASE("a plugin whose table is too short is refused, and both sizes are told") {
  const std::string text = reason(plugin("short_table"));
  CHECK(text.find("a table of " + std::to_string(sizeof(EngramDeviceTable) - sizeof(void*)) + " bytes") !=
        std::string::npos);
  CHECK(text.find("needs " + std::to_string(sizeof(EngramDeviceTable))) != std::string::npos);
  CHECK(text.find("install both from one package") != std::string::npos);
}

}  // namespace
}  // namespace engram::engine
