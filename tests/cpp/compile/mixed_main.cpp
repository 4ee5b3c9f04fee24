// Links and runs parts that were compiled as different versions of C++, with exceptions and without.
#include <cstdio>

#define NAME_OF(standard, exceptions) JOIN(part_, standard, exceptions)
#define JOIN(prefix, standard, exceptions) prefix##standard##exceptions

int part_17_exceptions(const char* name);
int part_17_no_exceptions(const char* name);
int NAME_OF(NEWEST, _exceptions)(const char* name);
int NAME_OF(NEWEST, _no_exceptions)(const char* name);

int main() {
    int failures = 0;
    const auto run = [&](const char* what, int (*part)(const char*)) {
        const int step = part("mixed");
        if (step != 0) {
            std::fprintf(stderr, "%s failed at step %d\n", what, step);
            ++failures;
        }
    };
    run("C++17", part_17_exceptions);
    run("C++17 without exceptions", part_17_no_exceptions);
    run("the newest C++", NAME_OF(NEWEST, _exceptions));
    run("the newest C++ without exceptions", NAME_OF(NEWEST, _no_exceptions));
    return failures;
}
