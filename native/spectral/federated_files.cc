#include "spectral/federated_files.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/numbers.h"
#include "spectral/blend.h"
#include "storage/memory_file.h"
#include "storage/safetensors.h"

namespace engram::spectral {
namespace {

using storage::Dtype;
using storage::Metadata;
using storage::SafetensorsFile;
using storage::TensorEntry;
using storage::TensorSource;

constexpr storage::MemoryKind kFederated = {.name = "federated-memory", .version = "1"};
constexpr char kArchetypes[] = "archetypes";
constexpr char kEvidence[] = "evidence";
constexpr char kOverlaps[] = "overlaps";
constexpr char kFirstSeen[] = "first_seen";
constexpr char kLastSeen[] = "last_seen";
constexpr char kNamedPlasticity[] = "plasticity.named";
constexpr char kNames[] = "plasticity.names";
constexpr char kPlacedPlasticity[] = "plasticity.placed";
constexpr char kPlaces[] = "plasticity.places";
constexpr char kGivenWeights[] = "given_weights";
constexpr char kRounds[] = "engram.rounds";
constexpr char kOfSums[] = "engram.plasticity_of_sums";

constexpr std::array<std::string_view, 3> kWeightRules = {"equal", "size", "maximin"};
constexpr std::array<std::string_view, 3> kUnmixings = {"ica", "signProjection", "lam"};
constexpr std::array<std::string_view, 4> kControllers = {"fixed", "entropy", "trust", "spectral"};
constexpr std::array<std::string_view, 2> kSketches = {"svd", "frequentDirections"};
constexpr std::array<std::string_view, 2> kTruths = {"false", "true"};

Status format_error(std::string message) { return {StatusCode::kFormat, std::move(message)}; }

// Options and numbers of the state by the names that they have in the file. Visits them for reading and
// writing, so that neither can forget one.
template <typename Visitor, typename Options, typename State>
void visit_facts(Visitor& visit, Options& options, State& state) {
  visit.whole("engram.dim", options.dim);
  visit.choice("engram.weights", options.weights, kWeightRules);
  visit.number("engram.false_alarm", options.false_alarm);
  visit.choice("engram.unmixing", options.unmixing, kUnmixings);
  visit.choice("engram.controller", options.controller.rule, kControllers);
  visit.number("engram.plasticity", options.controller.plasticity);
  visit.number("engram.smoothing", options.controller.smoothing);
  visit.choice("engram.replicate", options.replicate, kTruths);
  visit.whole("engram.forget_after", options.forget_after);
  visit.whole("engram.most_archetypes", options.most_archetypes);
  visit.whole("engram.seed", options.seed);
  visit.whole("engram.budget", options.gathering.budget);
  visit.whole("engram.sketch_rank", options.gathering.sketch_rank);
  visit.choice("engram.sketch", options.gathering.sketch, kSketches);
  visit.whole(kRounds, state.rounds);
  visit.number(kOfSums, state.of_sums);
}

struct Writer {
  Metadata& metadata;

  template <typename Integer>
  void whole(const char* name, Integer value) {
    metadata.insert_or_assign(name, std::to_string(value));
  }
  void number(const char* name, double value) { metadata.insert_or_assign(name, print_number(value)); }
  template <typename Choice, size_t kCount>
  void choice(const char* name, Choice value, const std::array<std::string_view, kCount>& names) {
    metadata.insert_or_assign(name, names.at(static_cast<size_t>(value)));
  }
};

struct Reader {
  const Metadata& metadata;
  Status status;  // the first failure

  template <typename Integer>
  void whole(const char* name, Integer& value) {
    if (!storage::read_number(metadata, name, value)) fail(name, "no whole number");
  }
  void number(const char* name, double& value) {
    if (!storage::read_number(metadata, name, value)) fail(name, "no number");
  }
  template <typename Choice, size_t kCount>
  void choice(const char* name, Choice& value, const std::array<std::string_view, kCount>& names) {
    const auto entry = metadata.find(name);
    for (size_t i = 0; i < kCount; ++i) {
      if (entry == metadata.end() || entry->second != names[i]) continue;
      value = static_cast<Choice>(i);
      return;
    }
    fail(name, "no choice that this build knows under");
  }
  void fail(const char* name, const char* what) {
    if (status.ok())
      status = format_error(std::string("the file's metadata has ") + what + " '" + name + "'");
  }
};

// Tensors by name; one that is not there has no elements.
class TensorReader {
 public:
  explicit TensorReader(const SafetensorsFile& file) : file_(file) {}

  // Exactly `length` elements; shape: what they are, for the message.
  template <typename T>
  Status read(const char* name, Dtype dtype, uint64_t length, std::vector<T>& out) const {
    const TensorEntry* const tensor = file_.find(name);
    const uint64_t bytes = tensor == nullptr ? 0 : tensor->bytes;
    if ((tensor != nullptr && tensor->dtype != dtype) || bytes / sizeof(T) != length) {
      return format_error(std::string("tensor '") + name + "' does not have the " + std::to_string(length) +
                          " elements of type " + storage::dtype_name(dtype) + " that fit the others");
    }
    out.resize(length);
    if (bytes > 0) std::memcpy(out.data(), tensor->data, bytes);
    return {};
  }
  uint64_t length(const char* name) const {
    const TensorEntry* const tensor = file_.find(name);
    return tensor == nullptr || tensor->shape.empty() ? 0 : tensor->shape[0];
  }

 private:
  const SafetensorsFile& file_;
};

Status read_archetypes(const TensorReader& tensors, FederatedState& state) {
  const uint64_t count = tensors.length(kOverlaps);
  std::vector<uint8_t> bits;
  const size_t row = engine::row_bytes(state.dim, engine::Element::kSign);
  Status status = tensors.read(kOverlaps, Dtype::kF64, count, state.overlaps);
  if (status.ok()) status = tensors.read(kArchetypes, Dtype::kU8, count * row, bits);
  if (status.ok()) status = tensors.read(kEvidence, Dtype::kF32, count * state.dim, state.evidence);
  if (status.ok()) status = tensors.read(kFirstSeen, Dtype::kU32, count, state.first_seen);
  if (status.ok()) status = tensors.read(kLastSeen, Dtype::kU32, count, state.last_seen);
  if (status.ok()) state.archetypes = unpack_signs(bits.data(), count, state.dim);
  return status;
}

Status read_named(const TensorReader& tensors, FederatedState& state) {
  std::vector<double> values;
  std::vector<char> names;
  Status status = tensors.read(kNamedPlasticity, Dtype::kF64, tensors.length(kNamedPlasticity), values);
  if (status.ok()) status = tensors.read(kNames, Dtype::kU8, tensors.length(kNames), names);
  if (!status.ok()) return status;
  auto at = names.begin();
  for (const double value : values) {
    const auto end = std::find(at, names.end(), '\0');
    if (end == names.end()) break;
    state.by_name.emplace(std::string(at, end), value);
    at = end + 1;
  }
  if (at == names.end() && state.by_name.size() == values.size()) return {};
  return format_error(std::string("tensor '") + kNames + "' does not hold " + std::to_string(values.size()) +
                      " different names");
}

Status read_placed(const TensorReader& tensors, FederatedState& state) {
  std::vector<double> values;
  std::vector<uint64_t> places;
  const uint64_t count = tensors.length(kPlacedPlasticity);
  Status status = tensors.read(kPlacedPlasticity, Dtype::kF64, count, values);
  if (status.ok()) status = tensors.read(kPlaces, Dtype::kU64, count, places);
  if (!status.ok()) return status;
  for (size_t i = 0; i < count; ++i) state.by_position.emplace(places[i], values[i]);
  return {};
}

Result<OpenedFederated> open_mapped(const MappedFile& mapping, bool verify) {
  Result<SafetensorsFile> parsed = storage::parse_safetensors({mapping.data(), mapping.size()});
  if (!parsed.ok()) return parsed.status();
  const SafetensorsFile& file = parsed.value();
  Status status = storage::check_kind(file.metadata, kFederated);
  if (status.ok() && verify) status = storage::verify_checksums(file);
  if (!status.ok()) return status;
  FederatedOptions options;
  FederatedState state;
  Reader facts{.metadata = file.metadata, .status = {}};
  visit_facts(facts, options, state);
  status = facts.status.ok() ? check(options) : facts.status;
  if (!status.ok()) return format_error(status.message());
  state.dim = options.dim;
  const TensorReader tensors(file);
  status = tensors.read(kGivenWeights, Dtype::kF64, tensors.length(kGivenWeights), options.given_weights);
  if (status.ok()) status = read_archetypes(tensors, state);
  if (status.ok()) status = read_named(tensors, state);
  if (status.ok()) status = read_placed(tensors, state);
  if (!status.ok()) return status;
  Result<std::shared_ptr<FederatedMemory>> memory =
      FederatedMemory::restore(std::move(options), std::move(state));
  if (!memory.ok()) return format_error(memory.status().message());
  return OpenedFederated{.memory = std::move(memory).value(),
                         .metadata = storage::callers_entries(file.metadata)};
}

// Tensors over vectors that outlive it; without elements there is none.
class TensorWriter {
 public:
  template <typename T>
  void add(const char* name, Dtype dtype, const std::vector<uint64_t>& shape,
           const std::vector<T>& elements) {
    if (elements.empty()) return;
    sources_.push_back(
        {.name = name, .dtype = dtype, .shape = shape, .pieces = {std::as_bytes(std::span(elements))}});
  }
  const std::vector<TensorSource>& sources() const { return sources_; }

 private:
  std::vector<TensorSource> sources_;
};

}  // namespace

Result<OpenedFederated> open_federated(const std::string& path, bool verify) {
  Result<std::shared_ptr<const MappedFile>> mapping = MappedFile::open(path);
  if (!mapping.ok()) return mapping.status();
  Result<OpenedFederated> opened = open_mapped(*mapping.value(), verify);
  if (!opened.ok()) return storage::in_file(path, opened.status());
  return opened;
}

Status save_federated(const FederatedMemory& memory, const std::string& path,
                      const std::map<std::string, std::string>& metadata,
                      const std::function<bool(uint64_t done, uint64_t total)>& keep_going) {
  const std::shared_ptr<const FederatedState> state = memory.state();
  const FederatedOptions& options = memory.options();
  Metadata entries = metadata;
  storage::state_kind(kFederated, entries);
  Writer facts{.metadata = entries};
  visit_facts(facts, options, *state);

  const std::vector<uint8_t> bits = pack_signs(state->view());
  std::vector<double> named;
  std::vector<char> names;
  for (const auto& [name, value] : state->by_name) {
    named.push_back(value);
    names.insert(names.end(), name.begin(), name.end());
    names.push_back('\0');
  }
  std::vector<double> placed;
  std::vector<uint64_t> places;
  for (const auto& [place, value] : state->by_position) {
    placed.push_back(value);
    places.push_back(place);
  }
  const uint64_t count = state->count();
  // The widest elements first, which keeps all tensors aligned.
  TensorWriter tensors;
  tensors.add(kGivenWeights, Dtype::kF64, {options.given_weights.size()}, options.given_weights);
  tensors.add(kOverlaps, Dtype::kF64, {count}, state->overlaps);
  tensors.add(kNamedPlasticity, Dtype::kF64, {named.size()}, named);
  tensors.add(kPlacedPlasticity, Dtype::kF64, {placed.size()}, placed);
  tensors.add(kPlaces, Dtype::kU64, {places.size()}, places);
  tensors.add(kEvidence, Dtype::kF32, {count, state->dim}, state->evidence);
  tensors.add(kFirstSeen, Dtype::kU32, {count}, state->first_seen);
  tensors.add(kLastSeen, Dtype::kU32, {count}, state->last_seen);
  tensors.add(kArchetypes, Dtype::kU8, {count, bits.size() / std::max<uint64_t>(count, 1)}, bits);
  tensors.add(kNames, Dtype::kU8, {names.size()}, names);
  return storage::write_safetensors(path, tensors.sources(), entries, /*checksums=*/true, keep_going);
}

}  // namespace engram::spectral
