// A library that is no plugin.
extern "C" int engram_something_else() { return 1; }
