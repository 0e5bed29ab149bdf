/* Who works here: what the log calls this station, and the operator who gave no name. */
#ifndef STATION_IDENTITY_H
#define STATION_IDENTITY_H

#define IDENTITY_STATION_BYTES 64

/* The name of this machine. */
void identity_station_name(char name[IDENTITY_STATION_BYTES]);
/* The name of the user. Not to be freed. */
const char *identity_login_name(void);

#endif
