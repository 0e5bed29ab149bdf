/* Judges profiles and jig files as the station's readers do. On standard input each file stands
 * behind a line with its number of bytes; PATH is where they all are said to lie. On standard
 * output there is one line for each: "good", or what is wrong. Or writes a new profile for each
 * part, behind a line with the part's name.
 *
 * usage: judge_files profile|jig PARTS PATH <FILES
 *        judge_files new PARTS PART... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/jig.h"
#include "profiles/document.h"
#include "profiles/profile.h"
#include "profiles/profile_new.h"

struct judge {
    bool of_jigs;
    const char *parts;
    const char *path;
};

static int judge(const struct judge *judge, const char *text, size_t bytes, struct failure *failure)
{
    struct profile *profile = NULL;
    struct jig *jig = NULL;
    int result;

    if (judge->of_jigs) {
        result = jig_parse(judge->path, text, bytes, &jig, failure);
        if (result == 0)
            result = jig_check_parts(jig, judge->parts, failure);
    } else {
        result = profile_parse(judge->path, text, bytes, judge->parts, &profile, failure);
    }
    jig_free(jig);
    profile_free(profile);
    return result;
}

static int judge_all(const struct judge *judge_as)
{
    char *text = malloc(DOCUMENT_BYTES_MAX);
    size_t bytes = 0;

    while (text != NULL && scanf("%7zu%*1[\n]", &bytes) == 1 && bytes <= DOCUMENT_BYTES_MAX &&
           fread(text, 1, bytes, stdin) == bytes) {
        struct failure failure = {0};

        if (judge(judge_as, text, bytes, &failure) == 0)
            printf("good\n");
        else
            printf("%s\n", failure.detail);
    }
    free(text);
    return feof(stdin) ? 0 : 1;
}

static int write_new(const char *parts, const char *name)
{
    struct part *part = NULL;
    struct failure failure = {0};

    if (part_load(parts, name, &part, &failure) != 0) {
        fprintf(stderr, "%s\n", failure.detail);
        return 1;
    }
    printf("# ---- %s\n", name);
    profile_write_new(part, stdout);
    part_free(part);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && (strcmp(argv[1], "profile") == 0 || strcmp(argv[1], "jig") == 0))
        return judge_all(&(struct judge){
            .of_jigs = strcmp(argv[1], "jig") == 0, .parts = argv[2], .path = argv[3]});
    if (argc < 4 || strcmp(argv[1], "new") != 0) {
        fprintf(stderr, "usage: judge_files profile|jig PARTS PATH, or new PARTS PART...\n");
        return 2;
    }
    for (int i = 3; i < argc; i++)
        if (write_new(argv[2], argv[i]) != 0)
            return 1;
    return 0;
}
