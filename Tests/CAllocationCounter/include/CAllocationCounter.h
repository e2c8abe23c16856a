// Counts heap allocations of the whole process, for tests that show that there are none.
//
// Linked into a program on glibc, it stands in front of malloc and its kin, which then go to glibc's own. Elsewhere, and
// under a sanitiser, which does the same, it counts nothing.
#pragma once

// 1 where allocations are counted.
int allocation_counting_available(void);
// Allocations on all threads since the program began, and the bytes that were asked for.
long allocation_count(void);
long allocated_bytes(void);
// Writes where the next allocations come from (addresses for addr2line) to standard error, until told otherwise.
void allocation_trace(int on);
