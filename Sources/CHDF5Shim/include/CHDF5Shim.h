// What Swift cannot see of HDF5's C interface: macros with casts or calls, variadic functions and names that differ
// between HDF5 releases (1.10 to 2). Everything else is called straight from Swift. Nothing here keeps state.
#pragma once

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

// Constants that are macros around calls or casts.
static inline hid_t vernier_h5_float64_le(void) { return H5T_IEEE_F64LE; }
static inline hid_t vernier_h5_float32_le(void) { return H5T_IEEE_F32LE; }
static inline hid_t vernier_h5_int64_le(void) { return H5T_STD_I64LE; }
static inline hid_t vernier_h5_uint64_le(void) { return H5T_STD_U64LE; }
static inline hid_t vernier_h5_native_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t vernier_h5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t vernier_h5_native_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t vernier_h5_native_uint64(void) { return H5T_NATIVE_UINT64; }
static inline hid_t vernier_h5_c_string(void) { return H5T_C_S1; }
static inline size_t vernier_h5_variable(void) { return H5T_VARIABLE; }
static inline unsigned vernier_h5_create_exclusively(void) { return H5F_ACC_EXCL; }
static inline unsigned vernier_h5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned vernier_h5_read_write(void) { return H5F_ACC_RDWR; }
static inline hid_t vernier_h5_default(void) { return H5P_DEFAULT; }
static inline hid_t vernier_h5_all(void) { return H5S_ALL; }
static inline hid_t vernier_h5_file_create(void) { return H5P_FILE_CREATE; }
static inline hid_t vernier_h5_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t vernier_h5_group_create(void) { return H5P_GROUP_CREATE; }
static inline hid_t vernier_h5_dataset_create(void) { return H5P_DATASET_CREATE; }

// File access: objects of the 1.8 format (checksummed metadata, readable everywhere) and no advisory lock, which
// network file systems refuse. Negative on failure.
static inline herr_t vernier_h5_prepare_access(hid_t list) {
#if H5_VERSION_GE(1, 10, 2)
    if (H5Pset_libver_bounds(list, H5F_LIBVER_V18, H5F_LIBVER_LATEST) < 0) return -1;
#else
    if (H5Pset_libver_bounds(list, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) < 0) return -1;
#endif
#if H5_VERSION_GE(1, 14, 0) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
    if (H5Pset_file_locking(list, 0, 1) < 0) return -1;
#endif
    return 0;
}

// Object creation: no times (same input, same bytes), attributes and links in the object header whatever their number.
static inline herr_t vernier_h5_prepare_object(hid_t list) {
    if (H5Pset_obj_track_times(list, 0) < 0) return -1;
    return H5Pset_attr_phase_change(list, 128, 0);
}
static inline herr_t vernier_h5_prepare_group(hid_t list) {
    if (vernier_h5_prepare_object(list) < 0) return -1;
    return H5Pset_link_phase_change(list, 128, 0);
}

// 1 if `name` is a hard link below `location`, 0 if it is missing, soft, external or user-defined. Never follows it.
static inline int vernier_h5_is_hard_link(hid_t location, const char *name) {
    if (H5Lexists(location, name, H5P_DEFAULT) <= 0) return 0;
#if H5_VERSION_GE(1, 12, 0)
    H5L_info2_t info;
    if (H5Lget_info2(location, name, &info, H5P_DEFAULT) < 0) return 0;
#else
    H5L_info_t info;
    if (H5Lget_info(location, name, &info, H5P_DEFAULT) < 0) return 0;
#endif
    return info.type == H5L_TYPE_HARD;
}

// 1 if the data of `dataset` lie in this file in one unfiltered run of bytes: no other file, no virtual source, no
// filter that might load a plug-in.
static inline int vernier_h5_is_plain_storage(hid_t dataset) {
    hid_t list = H5Dget_create_plist(dataset);
    if (list < 0) return 0;
    int plain = H5Pget_layout(list) == H5D_CONTIGUOUS && H5Pget_external_count(list) == 0 && H5Pget_nfilters(list) == 0;
    H5Pclose(list);
    return plain;
}

// The calling thread's error reporting, so that it can be put back.
typedef struct {
    H5E_auto2_t function;
    void *data;
} vernier_h5_reporting;

// Stops HDF5 from printing its error stack, and clears the stack.
static inline vernier_h5_reporting vernier_h5_silence(void) {
    vernier_h5_reporting saved = {NULL, NULL};
    H5Eget_auto2(H5E_DEFAULT, &saved.function, &saved.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Eclear2(H5E_DEFAULT);
    return saved;
}

// Puts the error reporting back.
static inline void vernier_h5_restore(vernier_h5_reporting saved) {
    H5Eclear2(H5E_DEFAULT);
    H5Eset_auto2(H5E_DEFAULT, saved.function, saved.data);
}

static inline herr_t vernier_h5_first_description(unsigned n, const H5E_error2_t *error, void *text) {
    if (n == 0 && error->desc) snprintf((char *)text, 256, "%s", error->desc);
    return 0;
}

// The innermost message of the calling thread's error stack; `text` holds 256 bytes and stays empty if there is none.
static inline void vernier_h5_message(char *text) {
    memset(text, 0, 256);
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, vernier_h5_first_description, text);
}

// How many files, groups, data sets, attributes and committed types are open in this process; for leak tests.
static inline long long vernier_h5_open_objects(void) { return H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL); }
