/* The interface is plain C: this file is compiled as C11, and its table is used by the tests. */
#include "loops/include/loopgauge_native.h"

_Static_assert(sizeof(loopgauge_task) == 5 * sizeof(void*), "a task is five words");

size_t loopgauge_table_size_in_c(void);

size_t loopgauge_table_size_in_c(void) {
  return sizeof(loopgauge_backend);
}
