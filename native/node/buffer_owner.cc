#include "node/buffer_owner.h"

#include <utility>

namespace engram::node {
namespace {

class BufferOwner {
 public:
  BufferOwner(std::shared_ptr<Mailbox> mailbox, std::vector<napi_ref> references)
      : mailbox_(std::move(mailbox)), references_(std::move(references)) {}
  ~BufferOwner() {
    for (napi_ref reference : references_) mailbox_->post_unreferenced(reference);
  }
  BufferOwner(const BufferOwner&) = delete;
  BufferOwner& operator=(const BufferOwner&) = delete;

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  const std::vector<napi_ref> references_;
};

}  // namespace

std::shared_ptr<const void> keep_alive(Environment& environment, const std::vector<napi_value>& arrays) {
  std::vector<napi_ref> references;
  for (napi_value array : arrays) {
    napi_ref reference = nullptr;
    napi_create_reference(environment.env(), array, 1, &reference);
    references.push_back(reference);
  }
  return std::make_shared<const BufferOwner>(environment.mailbox(), std::move(references));
}

}  // namespace engram::node
