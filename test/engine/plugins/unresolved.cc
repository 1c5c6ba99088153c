// A library that needs what is not there.
extern "C" void engram_not_defined_anywhere();
extern "C" void engram_unresolved() { engram_not_defined_anywhere(); }
