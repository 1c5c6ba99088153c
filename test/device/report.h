// What was checked and measured: a line for each finding, totals, JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace engram::device_test {

struct Measurement {
  std::string name;
  double seconds = 0;  // median
  double least_seconds = 0;
  uint32_t runs = 0;
  double amount = 0;         // of what `unit` counts, in one run
  std::string unit;          // e.g. "TFLOP", "GB", "Gexp"
  double floor_seconds = 0;  // what the device needs at least; 0: not known
  std::string floor_of;      // why
  std::string verdict;       // empty: verified in the same run
};

class Report {
 public:
  // `wrong`: empty where the check passed.
  void check(const std::string& name, const std::string& wrong);
  void skip(const std::string& name, const std::string& why, uint64_t checks = 1);
  void measured(const Measurement& measurement);
  // A fact of the device or of the run, in the JSON and above the table.
  void fact(const std::string& name, const std::string& value);
  void fact(const std::string& name, double value);

  bool good() const noexcept { return failed_ == 0; }
  void print() const;
  // False where the file could not be written.
  bool write_json(const std::string& path) const;
  bool write_markdown(const std::string& path) const;

 private:
  std::string table() const;
  std::string totals() const;

  struct Fact {
    std::string name;
    std::string text;
    bool number;
  };
  uint64_t passed_ = 0;
  uint64_t failed_ = 0;
  uint64_t skipped_ = 0;
  std::vector<std::string> failures_;
  std::vector<std::string> skips_;
  std::vector<Fact> facts_;
  std::vector<Measurement> measurements_;
};

}  // namespace engram::device_test
