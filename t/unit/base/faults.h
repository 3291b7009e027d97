/*
 * faults: system calls that fail on demand. The functions of faults.c take
 * the place of the C library's within the test program.
 */
#ifndef ACME_UNIT_FAULTS_H
#define ACME_UNIT_FAULTS_H

/** errno of the next fsync calls; 0: they work. */
extern int fault_fsync;
/** How often fsync was called. */
extern int fault_fsync_calls;
/** 1: every second read and write is interrupted, the others do one byte. */
extern int fault_short;
/** errno of the next writes behind the first byte; 0: they work. */
extern int fault_write;
/** What syslog got last, and its priority. */
extern char fault_syslog[1024];
extern int fault_syslog_priority;

/** A fixture: everything works again. */
void fault_clear(void);

#endif
