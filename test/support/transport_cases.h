// Published reference cases of entropic transport and of the flow of measures (cost scale 1/2): numbers
// computed in Float64 by other code, to marginal residuals of 1e-14.
#pragma once

#include <cmath>
#include <vector>

#include "support/clouds.h"

namespace engram::support {

// R1: transport between two clouds of the generator, and each with itself.
struct TransportCase {
  double epsilon;
  double cross;
  double self_x;
  double self_y;
  double divergence;
};
inline const std::vector<TransportCase> kR1{
    {10, 0.454779868748644, 0.413466627554367, 0.446750719583779, 0.0246711951795709},
    {1, 0.400741406396097, 0.364751204561441, 0.382985003327933, 0.0268733024514102},
    {0.1, 0.186014826761066, 0.117765065207205, 0.115490511348425, 0.0693870384832506},
    {0.01, 0.118502582314329, 0.0124068428382524, 0.0131337629232726, 0.105732279433567},
    {0.001, 0.110797568141808, 0.0012406842919534, 0.00148952601253084, 0.109432462989566},
};
constexpr double kR1Unregularised = 0.10979170241336489;
inline DoubleCloud r1_x() { return reference_cloud(4, 2, 0.5); }
inline DoubleCloud r1_y() { return reference_cloud(5, 2, 2.5); }

// R2 to R4: a memory of three clouds, and the second one perturbed.
inline std::vector<DoubleCloud> r2_memory() { return {r1_x(), r1_y(), reference_cloud(6, 2, 5.5)}; }
inline DoubleCloud r2_query() {
  DoubleCloud query = r1_y();
  for (size_t i = 0; i < 5; ++i) {
    for (size_t k = 0; k < 2; ++k) {
      query.points[2 * i + k] += 0.2 * std::sin(static_cast<double>(i + 1) + 2 * static_cast<double>(k + 1));
    }
    query.weights[i] = 0.2;
  }
  return query;
}
constexpr double kR2Epsilon = 0.1;
constexpr double kR2Beta = 40;

// R2: the energy at the query and what it is made of.
namespace r2 {
constexpr double kEnergy = 0.053579159662687524;
inline const std::vector<double> kDivergences{0.10871708222760354, 0.0567136213113004, 0.1754267232694961};
inline const std::vector<double> kGibbs{0.11019355124796178, 0.8821629707557257, 0.007643477996312482};
inline const std::vector<double> kGradient{
    -0.0017638807646765953, -0.1868932242100222,   -0.12121095820125194,  -0.06694766554972031,
    -0.09831310587659031,   -0.034522884652068805, -0.029882925237969593, 0.1337182866315964,
    0.3769898625260881,     0.5763093590306384};
inline const std::vector<double> kVariation{-0.06382188103597736, -0.13214905211765185, 0.020466248039804014,
                                            -0.0754687222250702, 0.2509734073388953};
constexpr double kGradientPoints = 0.11159819486952124;
constexpr double kGradientWeights = 0.018127730201794194;
}  // namespace r2

// R3: one step of 0.5 in points and weights from there.
namespace r3 {
constexpr double kStep = 0.5;
inline const std::vector<double> kWeights{0.20602880742228963, 0.21318910450427453, 0.19752633877401718,
                                          0.20723210006154494, 0.17602364923787372};
inline const std::vector<double> kPoints{
    -0.2391731662076033,  0.28617936402415733,  0.6495759506788257, -0.4104708076153028, -0.3659058601194638,
    -0.23257158298680497, -0.37213601276821695, 0.6218375674881986, 0.9894232778489686,  0.1436750492089791};
constexpr double kEnergy = 0.012103096992057433;
}  // namespace r3

// R4: sixty steps of 1 in points and 0.3 in weights.
namespace r4 {
constexpr double kStepPoints = 1;
constexpr double kStepWeights = 0.3;
struct Energy {
  size_t after;  // steps
  double energy;
};
inline const std::vector<Energy> kEnergies{
    {0, 0.0535791596626},  {1, 0.0065797781670},  {2, 0.0039288681977},  {5, 0.0029827261689},
    {10, 0.0025621132711}, {20, 0.0020730916772}, {40, 0.0013226825183}, {60, 0.0008203003852}};
inline const std::vector<double> kDivergences{0.04984783316, 0.00464484241, 0.16999448375};
inline const std::vector<double> kGibbs{0.14070337738, 0.85814544211, 0.00115118051};
}  // namespace r4

}  // namespace engram::support
