#include "station/identity.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void identity_station_name(char name[IDENTITY_STATION_BYTES])
{
    name[IDENTITY_STATION_BYTES - 1] = '\0';
    if (gethostname(name, IDENTITY_STATION_BYTES - 1) != 0)
        (void)snprintf(name, IDENTITY_STATION_BYTES, "station");
}

const char *identity_login_name(void)
{
    const char *name = getenv("USER");
    if (name != NULL && name[0] != '\0')
        return name;
    const struct passwd *entry = getpwuid(getuid());
    return entry != NULL ? entry->pw_name : "unknown";
}
