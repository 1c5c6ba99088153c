// The transport kernels, compiled once per target: each pass defines HWY_NAMESPACE::kGibbsTable. Apart from
// dispatch.cc so that the two compile side by side.
#include "kernels/gibbs_table.h"
#include "kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gibbs.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/gibbs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace engram::kernels {
namespace HWY_NAMESPACE {

extern const GibbsTable kGibbsTable;
const GibbsTable kGibbsTable = gibbs::kTable;

}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();
