#include "device/report.h"

#include <cstdio>

namespace engram::device_test {
namespace {

std::string number(double x, const char* format = "%.4g") {
  char text[64];
  std::snprintf(text, sizeof text, format, x);
  return text;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + "\"";
}

std::string quoted(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ", ") + quoted(text);
  return "[" + result + "]";
}

bool write(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) return false;
  const bool whole = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && whole;
}

std::string json_of(const Measurement& m) {
  return "{\"name\": " + quoted(m.name) + ", \"seconds\": " + number(m.seconds, "%.6g") +
         ", \"leastSeconds\": " + number(m.least_seconds, "%.6g") + ", \"runs\": " + std::to_string(m.runs) +
         ", \"amount\": " + number(m.amount, "%.8g") + ", \"unit\": " + quoted(m.unit) +
         ", \"floorSeconds\": " + number(m.floor_seconds, "%.6g") + ", \"floorOf\": " + quoted(m.floor_of) +
         ", \"wrong\": " + quoted(m.verdict) + "}";
}

}  // namespace

void Report::check(const std::string& name, const std::string& wrong) {
  if (wrong.empty()) {
    ++passed_;
    return;
  }
  ++failed_;
  failures_.push_back(name + ": " + wrong);
  std::printf("FAILED: %s\n", failures_.back().c_str());
  std::fflush(stdout);
}

void Report::skip(const std::string& name, const std::string& why, uint64_t checks) {
  skipped_ += checks;
  skips_.push_back(name + " (" + std::to_string(checks) + "): " + why);
  std::printf("SKIPPED: %s\n", skips_.back().c_str());
}

void Report::measured(const Measurement& measurement) {
  measurements_.push_back(measurement);
  check("measured " + measurement.name, measurement.verdict);
  std::printf("%-72s %9.4f ms\n", measurement.name.c_str(), 1e3 * measurement.seconds);
  std::fflush(stdout);
}

void Report::fact(const std::string& name, const std::string& value) {
  facts_.push_back({name, value, false});
}
void Report::fact(const std::string& name, double value) {
  facts_.push_back({name, number(value, "%.6g"), true});
}

std::string Report::totals() const {
  return std::to_string(passed_) + " passed, " + std::to_string(failed_) + " failed, " +
         std::to_string(skipped_) + " skipped";
}

std::string Report::table() const {
  std::string text;
  for (const Fact& fact : facts_) text += "- " + fact.name + ": " + fact.text + "\n";
  if (!measurements_.empty()) {
    text +=
        "\n| row | ms, median | rate | floor, ms | floor / time | floor of |\n| --- | ---: | ---: | ---: | "
        "---: | --- |\n";
  }
  for (const Measurement& m : measurements_) {
    const bool has_floor = m.floor_seconds > 0;
    text += "| " + m.name + (m.verdict.empty() ? "" : " **WRONG**") + " | " + number(1e3 * m.seconds) +
            " | " + number(m.amount / m.seconds) + " " + m.unit + "/s | " +
            (has_floor ? number(1e3 * m.floor_seconds) : "") + " | " +
            (has_floor ? number(100 * m.floor_seconds / m.seconds, "%.1f %%") : "") + " | " + m.floor_of +
            " |\n";
  }
  return text;
}

void Report::print() const {
  std::printf("\n%s\n", table().c_str());
  for (const std::string& failure : failures_) std::printf("FAILED: %s\n", failure.c_str());
  std::printf("%s\n", totals().c_str());
}

bool Report::write_markdown(const std::string& path) const {
  std::string text = "# engram-device-test\n\n" + totals() + "\n\n" + table();
  for (const std::string& failure : failures_) text += "\n- FAILED: " + failure;
  for (const std::string& skip : skips_) text += "\n- SKIPPED: " + skip;
  return write(path, text + "\n");
}

bool Report::write_json(const std::string& path) const {
  std::string facts;
  for (const Fact& fact : facts_) {
    facts += (facts.empty() ? "" : ", ") + quoted(fact.name) + ": " +
             (fact.number ? fact.text : quoted(fact.text));
  }
  std::string rows;
  for (const Measurement& m : measurements_) rows += (rows.empty() ? "\n  " : ",\n  ") + json_of(m);
  return write(path, "{\"passed\": " + std::to_string(passed_) + ", \"failed\": " + std::to_string(failed_) +
                         ", \"skipped\": " + std::to_string(skipped_) + ",\n\"facts\": {" + facts +
                         "},\n\"failures\": " + quoted(failures_) + ",\n\"skips\": " + quoted(skips_) +
                         ",\n\"rows\": [" + rows + "]}\n");
}

}  // namespace engram::device_test
