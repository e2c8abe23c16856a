#include "CPNGShim.h"

#include <png.h>
#include <string.h>

static int finish(png_image *image, int succeeded, char *message) {
    message[0] = 0;
    if (!succeeded) {
        strncpy(message, image->message, vernier_png_message_bytes - 1);
        message[vernier_png_message_bytes - 1] = 0;
    }
    png_image_free(image);
    return succeeded ? 1 : 0;
}

static png_image fresh_image(void) {
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    return image;
}

int vernier_png_read_size(const uint8_t *file, size_t file_bytes, uint32_t *width, uint32_t *height, char *message) {
    png_image image = fresh_image();
    int succeeded = png_image_begin_read_from_memory(&image, file, file_bytes);
    if (succeeded) {
        *width = image.width;
        *height = image.height;
    }
    return finish(&image, succeeded, message);
}

int vernier_png_read_pixels(const uint8_t *file, size_t file_bytes, uint8_t *rgb, size_t rgb_bytes, char *message) {
    png_image image = fresh_image();
    if (!png_image_begin_read_from_memory(&image, file, file_bytes)) return finish(&image, 0, message);
    image.format = PNG_FORMAT_RGB;
    if ((uint64_t)image.width * image.height * 3 != rgb_bytes) {
        strcpy(image.message, "the size changed between two reads");
        return finish(&image, 0, message);
    }
    const png_color white = {255, 255, 255};
    return finish(&image, png_image_finish_read(&image, &white, rgb, 0, NULL), message);
}

size_t vernier_png_capacity(uint32_t width, uint32_t height) {
    if (width == 0 || height == 0 || (uint64_t)width * height > (SIZE_MAX >> 8)) return 0;
    png_image image = fresh_image();
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_RGB;
    return PNG_IMAGE_PNG_SIZE_MAX(image);
}

int vernier_png_write(
    const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t *file, size_t *file_bytes, char *message) {
    png_image image = fresh_image();
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_RGB;
    png_alloc_size_t bytes = *file_bytes;
    int succeeded = png_image_write_to_memory(&image, file, &bytes, 0, rgb, 0, NULL);
    *file_bytes = bytes;
    return finish(&image, succeeded, message);
}
