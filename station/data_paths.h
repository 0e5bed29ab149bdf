/* Where things are: the data that came with the program, the programs beside it, the log.
 * All strings are allocated; the caller frees. */
#ifndef STATION_DATA_PATHS_H
#define STATION_DATA_PATHS_H

#include <stdbool.h>

#include "profiles/part.h"
#include "reports/failure.h"

/* $GANGFLASH_DATA, else share/gangflash beside the directory of this program: so in the build tree
 * and where it was installed. NULL when out of memory. */
char *data_paths_directory(void);
/* The directory of the part files that came with the program. NULL when out of memory. */
char *data_paths_shipped_parts(void);
/* The JSON Schema of a "profile" or a "jig" that came with the program. NULL when out of memory. */
char *data_paths_schema(const char *kind);
/* A comment that tells editors so: "yaml-language-server: $schema=PATH". "" where the schema is not
 * there, or its path could not be told in this way. NULL when out of memory. */
char *data_paths_schema_comment(const char *kind);
/* All directories of part files, the user's own first: part_directories(). */
int data_paths_parts(char **directories, struct failure *failure);
/* Did the part's file come with the program? */
bool data_paths_is_shipped_part(const struct part *part);
/* A program that lies beside this one. NULL when out of memory. */
char *data_paths_program(const char *name);

/* What a person typed for a profile (`folder` "boards") or a jig ("benches"): a path, or the bare
 * name of a shipped one. Fails with `code` when there is no shipped one of that name, and names the
 * nearest. */
int data_paths_find(const char *typed, const char *folder, enum failure_code code, char **path,
                    struct failure *failure);

/* `given`, or $GANGFLASH_LOG, or gangflash/log.sqlite in the user's state directory. */
int data_paths_log(const char *given, char **path, struct failure *failure);
/* Makes the directory of the user's own log; for a log named by hand nothing is made. */
int data_paths_make_log_directory(const char *given, const char *path, struct failure *failure);

/* Loads a part that somebody named on the command line of `command`. FAILURE_USAGE, with the
 * nearest name there is, when there is no such part; when its file is wrong, what part_load() says.
 * The caller frees. */
int data_paths_load_part(const char *command, const char *name, struct part **part,
                         struct failure *failure);

#endif
