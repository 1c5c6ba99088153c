#include "spectral/federated_memory.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/numbers.h"
#include "spectral/blend.h"
#include "spectral/federated_round.h"
#include "spectral/intake.h"
#include "spectral/tracy_widom.h"

namespace engram::spectral {
namespace {

constexpr size_t kMostDim = 0x7FFFFFFF;

Status out_of_range(const char* name, double value, const std::string& valid) {
  return {std::isfinite(value) ? StatusCode::kRange : StatusCode::kNonFinite,
          std::string(name) + " is " + print_number(value) + "; valid is " + valid};
}

// Valid is [least, most]; false for NaN.
bool is_within(double value, double least, double most) { return value >= least && value <= most; }

Status check_weights(const std::vector<double>& weights) {
  if (weights.empty()) return {};
  for (size_t c = 0; c < weights.size(); ++c) {
    if (!is_within(weights[c], 0, std::numeric_limits<float>::max())) {
      return out_of_range(("weights[" + std::to_string(c) + "]").c_str(), weights[c], "0 or more");
    }
  }
  if (std::any_of(weights.begin(), weights.end(), [](double a) { return a > 0; })) return {};
  return {StatusCode::kRange, "all weights are 0; at least one above it is needed"};
}

Status check_controller(const ControllerOptions& controller) {
  if (!is_within(controller.plasticity, 0, 1)) {
    return out_of_range("plasticity", controller.plasticity, "0 to 1");
  }
  const bool smooths = controller.smoothing > 0 && controller.smoothing <= 1;
  if (!smooths) {
    return out_of_range("smoothing", controller.smoothing, "above 0 to 1");
  }
  return {};
}

// The sum of the messages as they come, in one gathering, or in one for either half of the clients.
//
// Messages wait until all are there, which is when their order can be made the same and all weights are
// known; those that do not fit into the budget are added as they come.
class Collection {
 public:
  Collection(const FederatedOptions& options, const MessageStream& next, Intake& intake,
             const runtime::Parallel& parallel)
      : options_(options), next_(next), intake_(intake), parallel_(parallel) {
    for (size_t half = 0; half < (options.replicate ? 2 : 1); ++half) {
      gatherings_.emplace_back(options.dim, options.gathering);
    }
  }

  Status collect() {
    while (true) {
      Result<std::optional<ClientMessage>> next = next_();
      if (!next.ok()) return next.status();
      if (!next.value().has_value()) break;
      Status status = take(*std::move(next).value());
      if (!status.ok()) return status;
    }
    return finish();
  }

  // After collect(); scaled as the clients' weights are. They live as long as the collection.
  std::vector<SumOperator> sums() const {
    std::vector<SumOperator> sums;
    for (const Gathering& gathering : gatherings_) sums.push_back(gathering.sum(1 / total_));
    return sums;
  }
  double discarded_trace() const {
    double sum = 0;
    for (const Gathering& gathering : gatherings_) sum += gathering.discarded_trace(1 / total_);
    return sum;
  }

 private:
  struct Waiting {
    HebbianOperator message;
    size_t position;
  };

  Status take(ClientMessage message) {
    HebbianOperator read;
    Result<AcceptedClient*> taken = intake_.take(std::move(message), read, parallel_);
    if (!taken.ok()) return taken.status();
    if (taken.value() == nullptr) return {};
    const AcceptedClient& client = *taken.value();
    if (streaming_) return add(std::move(read), client.weight * client.plasticity);
    held_ += read.factor.size() * sizeof(float);
    waiting_.push_back({std::move(read), client.position});
    return held_ > options_.gathering.budget ? begin_streaming() : Status();
  }

  Status begin_streaming() {
    if (options_.given_weights.empty() && options_.weights == WeightRule::kMaximin) {
      return {StatusCode::kRange,
              "the maximin weights need the messages of all clients at a time, and they do not fit into " +
                  std::to_string(options_.gathering.budget) +
                  " bytes; valid are a larger budget and the weights equal and size"};
    }
    streaming_ = true;
    const std::vector<AcceptedClient>& clients = intake_.accepted();
    for (size_t i = 0; i < waiting_.size(); ++i) {
      Status status = add(std::move(waiting_[i].message), clients[i].weight * clients[i].plasticity);
      if (!status.ok()) return status;
    }
    waiting_.clear();
    return {};
  }

  Status add(HebbianOperator message, double weight) {
    const double scale = static_cast<double>(message.dim) / message.trace;
    Gathering& gathering = gatherings_[added_++ % gatherings_.size()];
    return gathering.add(std::move(message), weight * scale, parallel_);
  }

  Status finish() {
    for (const AcceptedClient& client : intake_.accepted()) raw_total_ += client.weight;
    Status status = intake_.weigh(parallel_);
    if (!status.ok()) return status;
    if (streaming_) {
      total_ = raw_total_ > 0 ? raw_total_ : 1;
    } else {
      status = add_waiting();
      if (!status.ok()) return status;
    }
    for (Gathering& gathering : gatherings_) {
      status = gathering.finish(parallel_);
      if (!status.ok()) return status;
    }
    return {};
  }

  // In the order of the clients.
  Status add_waiting() {
    std::map<size_t, size_t> at;
    for (size_t i = 0; i < waiting_.size(); ++i) at.emplace(waiting_[i].position, i);
    for (const AcceptedClient& client : intake_.accepted()) {
      HebbianOperator& message = waiting_[at.at(client.position)].message;
      Status status = add(std::move(message), client.weight * client.plasticity);
      if (!status.ok()) return status;
    }
    waiting_.clear();
    return {};
  }

  const FederatedOptions& options_;
  const MessageStream& next_;
  Intake& intake_;
  const runtime::Parallel& parallel_;
  std::vector<Gathering> gatherings_;
  std::vector<Waiting> waiting_;
  size_t held_ = 0;  // bytes of factors that wait
  size_t added_ = 0;
  bool streaming_ = false;
  double raw_total_ = 0;
  double total_ = 1;  // of the weights that messages were added with
};

void report_clients(const Intake& intake, RoundReport& report) {
  report.client_weights.assign(intake.positions(), 0);
  report.plasticity.assign(intake.positions(), 0);
  for (const AcceptedClient& client : intake.accepted()) {
    report.client_weights[client.position] = client.weight;
    report.plasticity[client.position] = client.plasticity;
  }
  report.rejected_clients = intake.rejected();
}

Status check_products(const std::vector<ProductClient>& clients, double symmetric_noise) {
  if (clients.empty()) return {StatusCode::kRange, "there are no clients; at least one is needed"};
  if (!is_within(symmetric_noise, 0, std::numeric_limits<float>::max())) {
    return out_of_range("symmetric_noise", symmetric_noise, "0 or more");
  }
  std::vector<double> weights;
  for (const ProductClient& client : clients) {
    const std::string of = " of client '" + client.client + "'";
    if (client.sample_count < 1) return out_of_range(("sample_count" + of).c_str(), 0, "1 or more");
    if (!is_within(client.noise_variance, 0, 1)) {
      return out_of_range(("noise_variance" + of).c_str(), client.noise_variance, "0 to 1");
    }
    if (!is_within(client.quality, 0, 1)) {
      return out_of_range(("quality" + of).c_str(), client.quality, "0 to 1");
    }
    weights.push_back(client.weight);
  }
  return check_weights(weights);
}

// sqrt(sum a r^2): the quality of the sum.
double pooled_quality(const std::vector<ProductClient>& clients, const std::vector<double>& weights) {
  double sum = 0;
  for (size_t c = 0; c < clients.size(); ++c) sum += weights[c] * clients[c].quality * clients[c].quality;
  return std::sqrt(sum);
}

}  // namespace

Status check(const FederatedOptions& options) {
  if (options.dim < 2 || options.dim > kMostDim) {
    return out_of_range("dim", static_cast<double>(options.dim), "2 to " + std::to_string(kMostDim));
  }
  if (!is_within(options.false_alarm, kLeastFalseAlarm, kMostFalseAlarm)) {
    return out_of_range("false_alarm", options.false_alarm,
                        print_number(kLeastFalseAlarm) + " to " + print_number(kMostFalseAlarm));
  }
  if (options.most_archetypes < 1) return out_of_range("most_archetypes", 0, "1 or more");
  if (options.gathering.sketch_rank < 1) return out_of_range("sketch_rank", 0, "1 or more");
  Status status = check_weights(options.given_weights);
  return status.ok() ? check_controller(options.controller) : status;
}

Result<std::shared_ptr<FederatedMemory>> FederatedMemory::create(FederatedOptions options) {
  FederatedState empty;
  empty.dim = options.dim;
  return restore(std::move(options), std::move(empty));
}

Result<std::shared_ptr<FederatedMemory>> FederatedMemory::restore(FederatedOptions options,
                                                                  FederatedState state) {
  Status status = check(options);
  if (status.ok()) status = state.check(options.dim);
  if (!status.ok()) return status;
  const double quantile = tracy_widom_quantile(options.false_alarm);
  return std::shared_ptr<FederatedMemory>(
      new FederatedMemory(std::move(options), quantile, std::move(state)));
}

FederatedMemory::FederatedMemory(FederatedOptions options, double quantile, FederatedState state)
    : options_(std::move(options)),
      quantile_(quantile),
      state_(std::make_shared<const FederatedState>(std::move(state))) {}

Result<RoundReport> FederatedMemory::round(const MessageStream& next, const runtime::Parallel& parallel) {
  const std::lock_guard<std::mutex> lock(round_);
  const std::shared_ptr<const FederatedState> before = state();
  Intake intake(options_, quantile_, *before);
  Collection collection(options_, next, intake, parallel);
  Status status = collection.collect();
  if (!status.ok()) return status;

  RoundInput input(options_, quantile_);
  for (const AcceptedClient& client : intake.accepted()) {
    input.clients.push_back(
        {.weight = client.weight, .samples = client.samples, .noise_variance = client.noise_variance});
    input.plasticity.push_back(client.plasticity);
  }
  const std::vector<SumOperator> sums = collection.sums();
  std::vector<Blend::Part> parts;
  for (const SumOperator& sum : sums) parts.push_back({&sum, 1});
  const Blend data(options_.dim, std::move(parts));
  input.data = &data;
  for (size_t half = 0; half < (options_.replicate ? 2 : 0); ++half) input.halves[half] = &sums[half];

  FederatedState after = *before;
  RoundReport report;
  remember_plasticity(options_.controller, intake.accepted(), after);
  status = finish_round(input, after, report, parallel);
  if (!status.ok()) return status;
  report.discarded_trace = collection.discarded_trace();
  report_clients(intake, report);
  replace(std::move(after));
  return report;
}

Result<RoundReport> FederatedMemory::round_of_products(const std::vector<ProductClient>& clients,
                                                       const LinearOperator& data, double symmetric_noise,
                                                       const runtime::Parallel& parallel) {
  const std::lock_guard<std::mutex> lock(round_);
  if (data.dim() != options_.dim) {
    return Status(StatusCode::kShape, "the products have the dim " + std::to_string(data.dim()) +
                                          "; expected that of the memory, " + std::to_string(options_.dim));
  }
  if (options_.replicate) {
    return Status(
        StatusCode::kRange,
        "products are of the sum of all clients; replication between halves of them needs messages");
  }
  Status status = check_products(clients, symmetric_noise);
  if (!status.ok()) return status;
  FederatedState after = *state();
  RoundInput input(options_, quantile_);
  RoundReport report;
  for (const ProductClient& client : clients) report.client_weights.push_back(client.weight);
  normalise_weights(report.client_weights);
  for (size_t c = 0; c < clients.size(); ++c) {
    input.clients.push_back({.weight = report.client_weights[c],
                             .samples = static_cast<double>(clients[c].sample_count),
                             .noise_variance = clients[c].noise_variance});
  }
  const Experience experience{.moments = data,
                              .noise = {input.clients, static_cast<double>(options_.dim), symmetric_noise},
                              .quality = pooled_quality(clients, report.client_weights)};
  Result<double> raw = raw_plasticity(options_.controller, after.view(), experience, quantile_, parallel);
  if (!raw.ok()) return raw.status();
  const double w = smoothed(options_.controller, after.of_sums >= 0 ? &after.of_sums : nullptr, raw.value());
  after.of_sums = w;
  report.plasticity.assign(clients.size(), w);
  input.plasticity = report.plasticity;
  const Blend weighted(options_.dim, {{&data, w}});
  input.data = &weighted;
  input.symmetric_noise = w * symmetric_noise;
  status = finish_round(input, after, report, parallel);
  if (!status.ok()) return status;
  replace(std::move(after));
  return report;
}

std::shared_ptr<const FederatedState> FederatedMemory::state() const {
  const std::lock_guard<std::mutex> lock(reading_);
  return state_;
}

void FederatedMemory::replace(FederatedState next) {
  auto state = std::make_shared<const FederatedState>(std::move(next));
  const std::lock_guard<std::mutex> lock(reading_);
  state_.swap(state);
}

size_t FederatedMemory::count() const { return state()->count(); }
uint32_t FederatedMemory::rounds() const { return state()->rounds; }
std::vector<int8_t> FederatedMemory::archetypes() const { return state()->archetypes; }
std::vector<double> FederatedMemory::overlaps() const { return state()->overlaps; }

Status FederatedMemory::retrieve(const FloatRows& cues, const RecallOptions& options,
                                 const RecallOutputs& out, const KeepGoing& keep_going) const {
  if (cues.cols != options_.dim) {
    return {StatusCode::kShape, "cues have " + std::to_string(cues.cols) + " entries; expected the dim, " +
                                    std::to_string(options_.dim)};
  }
  const std::shared_ptr<const FederatedState> now = state();
  return recall(now->view(), cues, options, out, keep_going);
}

size_t FederatedMemory::native_bytes() const {
  const std::shared_ptr<const FederatedState> now = state();
  size_t bytes = now->archetypes.size() + now->evidence.size() * sizeof(float);
  for (const auto& [name, w] : now->by_name) bytes += name.size() + sizeof w;
  return bytes + now->by_position.size() * 2 * sizeof(double);
}

}  // namespace engram::spectral
