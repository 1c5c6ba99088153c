// What a memory fault in a simulated kernel, or by a device pointer on the host, was about.
#pragma once

namespace engram::simulator {

// From now on the process says it before it dies of the fault as it would have.
void report_access_faults();

}  // namespace engram::simulator
