#include "enxerto/weights/hdf5_child.h"

#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "enxerto/weights/hdf5_stream.h"

namespace enxerto::hdf5 {
namespace {

/// What ends the reading, as the parent hears it.
struct Failure {
  bool unsupported;
  std::string what;
};
[[noreturn]] void corrupt(std::string what) { throw Failure{false, std::move(what)}; }
[[noreturn]] void unsupported(std::string what) { throw Failure{true, std::move(what)}; }

class Pipe {
 public:
  explicit Pipe(int fd) : fd_(fd) {}

  void raw(const void* data, std::size_t size) {
    const char* from = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(fd_, from, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) corrupt("the pipe to the reader broke");
      from += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  void record(Record kind) { raw(&kind, sizeof kind); }
  void number(std::uint64_t value) { raw(&value, sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    raw(value.data(), value.size());
  }

 private:
  int fd_;
};

/// Closes what libhdf5 opened.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

hid_t good(hid_t id, const std::string& where, const char* what) {
  if (id < 0) corrupt(where + ": " + what + " cannot be read");
  return id;
}

// The file image is the parent's memory, shared by the fork: libhdf5 is made to borrow it rather than copy
// it.
struct Image {
  void* data;
};
void* image_malloc(size_t, H5FD_file_image_op_t, void* image) { return static_cast<Image*>(image)->data; }
void* image_memcpy(void* to, const void*, size_t, H5FD_file_image_op_t, void*) { return to; }
void* image_realloc(void*, size_t, H5FD_file_image_op_t, void*) { return nullptr; }
herr_t image_free(void*, H5FD_file_image_op_t, void*) { return 0; }
void* image_share(void* image) { return image; }
herr_t image_release(void*) { return 0; }

class Sender {
 public:
  Sender(std::uint64_t file_bytes, Pipe& pipe)
      : file_bytes_(file_bytes), content_left_(content_limit(file_bytes)), pipe_(pipe) {}

  void group(hid_t id, const std::string& path, int depth) {
    if (depth > depth_limit) corrupt("groups are nested more than " + std::to_string(depth_limit) + " deep");
    if (!first_visit(id)) return;
    attributes(id, path);
    for (const auto& [name, link] : links(id, path)) {
      const std::string inner = path.empty() ? name : path + "/" + name;
      if (inner.size() > path_limit)
        corrupt("a path is longer than " + std::to_string(path_limit) + " bytes");
      if (link != H5L_TYPE_HARD) unsupported(inner + " is a link to another place; store the data itself");
      child(id, name, inner, depth);
    }
  }

 private:
  using Links = std::vector<std::pair<std::string, H5L_type_t>>;

  void child(hid_t parent, const std::string& name, const std::string& path, int depth) {
    const Handle object(good(H5Oopen(parent, name.c_str(), H5P_DEFAULT), path, "the object"), H5Oclose);
    switch (H5Iget_type(object)) {
      case H5I_GROUP:
        group(object, path, depth + 1);
        break;
      case H5I_DATASET:
        if (first_visit(object)) array(object, path);
        break;
      default:  // a named type: holds no data
        break;
    }
  }

  /// Hard links may make circles, and may give one array many names.
  bool first_visit(hid_t id) {
    H5O_info_t info;
    if (H5Oget_info(id, &info) < 0) corrupt("an object cannot be read");
    return visited_.insert(info.addr).second;
  }

  void count_record() {
    if (++records_ > records_limit) unsupported("holds too many objects");
  }

  void take(std::uint64_t bytes, const std::string& where) {
    if (bytes > content_left_) corrupt(where + ": claims more than a file of this size can hold");
    content_left_ -= bytes;
  }

  Links links(hid_t id, const std::string& path) {
    Links found;
    struct Visit {
      Links* links;
      bool too_many;
    } visit{&found, false};
    const auto note = [](hid_t, const char* name, const H5L_info_t* info, void* to) -> herr_t {
      Visit& noted = *static_cast<Visit*>(to);
      noted.too_many = noted.links->size() >= records_limit;
      if (noted.too_many) return 1;
      noted.links->emplace_back(name, info->type);
      return 0;
    };
    const herr_t done = H5Literate(id, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, note, &visit);
    if (visit.too_many) unsupported("holds too many objects");
    if (done < 0) corrupt(path + ": the list of its members cannot be read");
    std::ranges::sort(found);
    return found;
  }

  void attributes(hid_t id, const std::string& path) {
    const int number = H5Aget_num_attrs(id);
    if (number < 0) corrupt(path + ": its attributes cannot be read");
    for (int i = 0; i < number; ++i) {
      const Handle attribute(good(H5Aopen_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_NATIVE,
                                                 static_cast<hsize_t>(i), H5P_DEFAULT, H5P_DEFAULT),
                                  path, "an attribute"),
                             H5Aclose);
      const ssize_t length = H5Aget_name(attribute, 0, nullptr);
      if (length < 0 || static_cast<std::uint64_t>(length) > path_limit)
        corrupt(path + ": an attribute has no name that can be");
      std::string name(static_cast<std::size_t>(length) + 1, '\0');
      H5Aget_name(attribute, name.size(), name.data());
      name.pop_back();
      send_texts(attribute, path, name);
    }
  }

  void send_texts(hid_t attribute, const std::string& path, const std::string& name) {
    const std::optional<std::vector<std::string>> values = texts(attribute, path + ": " + name);
    if (!values) return;
    count_record();
    take(path.size() + name.size() + 2 * text_cost, path);
    pipe_.record(Record::texts);
    pipe_.text(path);
    pipe_.text(name);
    pipe_.number(values->size());
    for (const std::string& value : *values) pipe_.text(value);
  }

  std::optional<std::vector<std::string>> texts(hid_t attribute, const std::string& where) {
    const Handle space(good(H5Aget_space(attribute), where, "the size"), H5Sclose);
    const Handle type(good(H5Aget_type(attribute), where, "the type"), H5Tclose);
    const hssize_t number = H5Sget_simple_extent_npoints(space);
    // h5py writes an empty list of names as an empty list of numbers.
    if (number == 0) return std::vector<std::string>{};
    if (number < 0 || H5Tget_class(type) != H5T_STRING) return std::nullopt;
    const auto values = static_cast<std::uint64_t>(number);
    if (values > texts_limit) corrupt(where + " has too many values");
    return H5Tis_variable_str(type) > 0 ? variable_texts(attribute, type, space, values, where)
                                        : fixed_texts(attribute, type, values, where);
  }

  std::vector<std::string> fixed_texts(hid_t attribute, hid_t type, std::uint64_t values,
                                       const std::string& where) {
    const std::uint64_t each = H5Tget_size(type);
    if (each == 0 || each > text_limit || each > text_limit / values) corrupt(where + " is too long");
    take((each + text_cost) * values, where);
    std::string all(each * values, '\0');
    if (H5Aread(attribute, type, all.data()) < 0) corrupt(where + " cannot be read");
    std::vector<std::string> made;
    for (std::uint64_t i = 0; i < values; ++i) {
      const std::string_view one(all.data() + i * each, each);
      made.emplace_back(one.substr(0, one.find('\0')));
    }
    return made;
  }

  std::vector<std::string> variable_texts(hid_t attribute, hid_t type, hid_t space, std::uint64_t values,
                                          const std::string& where) {
    std::vector<char*> all(values, nullptr);
    if (H5Aread(attribute, type, all.data()) < 0) corrupt(where + " cannot be read");
    std::vector<std::string> made;
    for (const char* one : all) {
      const std::size_t length = one == nullptr ? 0 : std::strlen(one);
      if (length > text_limit) corrupt(where + " is too long");
      take(length + text_cost, where);
      made.emplace_back(one == nullptr ? "" : one, length);
    }
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, all.data());
    return made;
  }

  void array(hid_t dataset, const std::string& path) {
    const Handle space(good(H5Dget_space(dataset), path, "the size"), H5Sclose);
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || static_cast<std::uint64_t>(rank) > rank_limit)
      corrupt(path + " has a number of dimensions that cannot be");
    std::array<hsize_t, H5S_MAX_RANK> sizes{};
    if (rank > 0 && H5Sget_simple_extent_dims(space, sizes.data(), nullptr) < 0)
      corrupt(path + " has no size");
    std::uint64_t numbers = H5Sget_simple_extent_type(space) == H5S_NULL ? 0 : 1;
    for (int i = 0; i < rank; ++i)
      if (__builtin_mul_overflow(numbers, static_cast<std::uint64_t>(sizes[static_cast<std::size_t>(i)]),
                                 &numbers))
        corrupt(path + " is larger than any memory");
    if (rank == 0 && numbers == 0) corrupt(path + " is empty");
    const bool brain = check_type(dataset, path);
    check_storage(dataset, numbers, path);
    if (numbers > std::numeric_limits<std::uint64_t>::max() / 8) corrupt(path + " is larger than any memory");
    take(numbers * sizeof(float) + path.size() + text_cost, path);
    count_record();

    std::vector<float> values(numbers);
    if (numbers > 0) read_values(dataset, brain, values, path);
    pipe_.record(Record::array);
    pipe_.text(path);
    pipe_.number(static_cast<std::uint64_t>(rank));
    for (int i = 0; i < rank; ++i) pipe_.number(sizes[static_cast<std::size_t>(i)]);
    pipe_.raw(values.data(), values.size() * sizeof(float));
  }

  /// Throws unless these are numbers. True for bfloat16, which Keras writes as two bytes without a meaning.
  static bool check_type(hid_t dataset, const std::string& path) {
    const Handle type(good(H5Dget_type(dataset), path, "the type"), H5Tclose);
    const H5T_class_t kind = H5Tget_class(type);
    const std::size_t bytes = H5Tget_size(type);
    if (kind == H5T_OPAQUE && bytes == 2) return true;
    if ((kind != H5T_INTEGER && kind != H5T_FLOAT) || bytes < 1 || bytes > 8)
      unsupported(path + " does not hold numbers of at most 64 bits");
    return false;
  }

  /// The numbers lie in this file, and there are no more of them than its bytes can make.
  void check_storage(hid_t dataset, std::uint64_t numbers, const std::string& path) const {
    const Handle plan(good(H5Dget_create_plist(dataset), path, "its layout"), H5Pclose);
    const H5D_layout_t layout = H5Pget_layout(plan);
    if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
      unsupported(path + " is made of other arrays or of an unknown layout");
    if (H5Pget_external_count(plan) != 0) unsupported(path + " keeps its data in another file");
    const int filters = H5Pget_nfilters(plan);
    const std::uint64_t stored = H5Dget_storage_size(dataset);
    // Deflate makes at most 1032 bytes of one.
    const std::uint64_t reach = filters > 0 ? 1100 : 1;
    if (filters < 0 || stored > file_bytes_ || numbers / reach > stored)
      corrupt(path + " claims more numbers than are stored");
  }

  static void read_values(hid_t dataset, bool brain, std::vector<float>& values, const std::string& path) {
    if (!brain) {
      if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
        corrupt(path + " cannot be read");
      return;
    }
    const Handle type(good(H5Dget_type(dataset), path, "the type"), H5Tclose);
    std::vector<std::uint16_t> halves(values.size());
    if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, halves.data()) < 0)
      corrupt(path + " cannot be read");
    std::ranges::transform(halves, values.begin(), [](std::uint16_t half) {
      const std::uint32_t bits = std::uint32_t{half} << 16;
      float value = 0;
      std::memcpy(&value, &bits, sizeof value);
      return value;
    });
  }

  std::uint64_t file_bytes_, content_left_, records_ = 0;
  Pipe& pipe_;
  std::set<haddr_t> visited_;
};

void send_file(std::span<const std::uint8_t> bytes, Pipe& pipe) {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
  // libhdf5 takes a pointer to memory that it may write; opened for reading, it does not.
  Image image{const_cast<std::uint8_t*>(bytes.data())};
  H5FD_file_image_callbacks_t borrow{image_malloc, image_memcpy,  image_realloc, image_free,
                                     image_share,  image_release, &image};
  const Handle access(good(H5Pcreate(H5P_FILE_ACCESS), "the file", "it"), H5Pclose);
  if (H5Pset_fapl_core(access, 1u << 20, false) < 0 || H5Pset_file_image_callbacks(access, &borrow) < 0 ||
      H5Pset_file_image(access, image.data, bytes.size()) < 0)
    corrupt("cannot be opened");
  const Handle file(H5Fopen("memory", H5F_ACC_RDONLY, access), H5Fclose);
  if (file < 0) corrupt("is not a whole HDF5 file; it is damaged or was cut short");
  const Handle root(good(H5Gopen2(file, "/", H5P_DEFAULT), "the file", "its root"), H5Gclose);
  Sender(bytes.size(), pipe).group(root, "", 0);
}

}  // namespace

void send_content(std::span<const std::uint8_t> bytes, int fd) {
  Pipe pipe(fd);
  try {
    send_file(bytes, pipe);
    pipe.record(Record::end);
  } catch (const Failure& failure) {
    try {
      pipe.record(Record::failure);
      pipe.number(failure.unsupported ? 1 : 0);
      pipe.text(std::string_view(failure.what).substr(0, path_limit));
    } catch (const Failure&) {  // nobody is listening any more
    }
  }
}

}  // namespace enxerto::hdf5
