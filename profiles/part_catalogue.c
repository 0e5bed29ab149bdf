#include "profiles/part_catalogue.h"

#include <stdlib.h>
#include <string.h>

int part_catalogue_load(const char *directories, struct part_catalogue *catalogue,
                        void (*wrong)(void *context, const struct failure *failure), void *context,
                        struct failure *failure)
{
    *catalogue = (struct part_catalogue){0};
    if (part_list(directories, &catalogue->list, failure) != 0)
        return -1;
    catalogue->parts = calloc(catalogue->list.count + 1, sizeof(struct part *));
    if (catalogue->parts == NULL)
        return failure_set(failure, FAILURE_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < catalogue->list.count; i++) {
        struct failure trouble = {0};

        if (part_load(directories, catalogue->list.names[i], &catalogue->parts[i], &trouble) != 0)
            wrong(context, &trouble);
    }
    return 0;
}

void part_catalogue_free(struct part_catalogue *catalogue)
{
    for (size_t i = 0; catalogue->parts != NULL && i < catalogue->list.count; i++)
        part_free(catalogue->parts[i]);
    free(catalogue->parts);
    part_list_free(&catalogue->list);
    *catalogue = (struct part_catalogue){0};
}

const struct part *part_catalogue_next(const struct part_catalogue *catalogue,
                                       const uint8_t signature[3], size_t *at)
{
    while (*at < catalogue->list.count) {
        const struct part *part = catalogue->parts[(*at)++];

        if (part != NULL && memcmp(part->signature, signature, sizeof part->signature) == 0)
            return part;
    }
    return NULL;
}
