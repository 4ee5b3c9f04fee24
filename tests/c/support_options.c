#include "support_options.h"

static void check_sizes_of(const struct sized_options *tested)
{
    static union sized options;
    const size_t size = tested->size;
    fprintf(stderr, "    %s, %zu bytes\n", tested->name, size);
    const size_t bad[] = {0 /* forgotten */, 1, sizeof(size_t) - 1, size - 1, size + 1, ROOM + 1, SIZE_MAX / 2, SIZE_MAX};
    memset(&options, 0, sizeof options);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        options.struct_size = bad[i];
        CHECK_STATUS(tested->use(&options), MOORLINE_INVALID_ARGUMENT);
        CHECK_CONTAINS(last_error().text, "struct_size");
    }
    options.struct_size = size;
    CHECK_OK(tested->use(&options)); /* zero is the default of all fields */

    /* From a program that was built with an older header, or a newer one. */
    options.struct_size = sizeof(size_t);
    memset(options.bytes + sizeof(size_t), 0xff, sizeof options - sizeof(size_t)); /* not to be looked at */
    CHECK_OK(tested->use(&options));
    memset(&options, 0, sizeof options);
    options.struct_size = size + 64;
    CHECK_OK(tested->use(&options));
    options.bytes[size + 63] = 1; /* something that this version cannot know */
    CHECK_STATUS(tested->use(&options), MOORLINE_INVALID_ARGUMENT);
    options.struct_size = size + 64 - sizeof(size_t);
    CHECK_OK(tested->use(&options));
}

void check_sizes_of_options(const struct sized_options *cases, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        check_sizes_of(&cases[i]);
    }
}
