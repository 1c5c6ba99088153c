#include "faults.h"

#include <charconv>
#include <sstream>

#include "simulation.h"

namespace engram::simulator {
namespace {

// Whether the whole text is a number.
template <typename T>
bool read_number(const std::string& text, T* number) {
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *number);
  return result.ec == std::errc() && result.ptr == end;
}

bool set_driver(const std::string& text, Machine::Driver* driver) {
  if (text == "good")
    *driver = Machine::Driver::kGood;
  else if (text == "none")
    *driver = Machine::Driver::kNone;
  else if (text == "old")
    *driver = Machine::Driver::kTooOld;
  else
    return false;
  return true;
}

bool set_field(const std::string& name, const std::string& value, Machine* machine) {
  if (name == "driver") return set_driver(value, &machine->driver);
  if (name == "devices") return read_number(value, &machine->devices);
  if (name == "memory") return read_number(value, &machine->memory);
  if (name == "major") return read_number(value, &machine->major);
  if (name == "minor") return read_number(value, &machine->minor);
  if (name == "multiprocessors") return read_number(value, &machine->multiprocessors);
  if (name == "fail_allocation") return read_number(value, &machine->fail_allocation);
  if (name == "fail_pinned") return read_number(value, &machine->fail_pinned);
  if (name == "fail_launch") return read_number(value, &machine->fail_launch);
  if (name == "lose_after") return read_number(value, &machine->lose_after);
  if (name == "eager") {
    machine->eager = value == "1";
    return value == "0" || value == "1";
  }
  return false;
}

}  // namespace

std::string read_machine(const std::string& text, Machine* machine) {
  std::istringstream fields(text);
  for (std::string field; std::getline(fields, field, ',');) {
    const size_t equals = field.find('=');
    if (equals == std::string::npos ||
        !set_field(field.substr(0, equals), field.substr(equals + 1), machine)) {
      return "not understood: " + field;
    }
  }
  return "";
}

void set_machine(const Machine& other) {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  simulation.set_machine(other);
}

Machine machine() {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  return simulation.machine;
}

Outstanding outstanding() {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  return simulation.outstanding();
}

Counts counts() {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  return simulation.counts;
}

void provide_driver_function(const std::string& name, void* function) {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  simulation.driver_functions[name] = function;
}

}  // namespace engram::simulator
