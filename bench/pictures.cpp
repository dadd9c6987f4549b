// How fast are pictures made ready for a network?
// usage: bench_pictures decode|prepare|epoch FOLDER [--threads N] [--size 224] [--decode exact|fast]
//                       [--filter NAME] [--seconds S] [--images N] [--augment]
// decode: every pixel of the files, which lie in memory. prepare: read, decode, short side to size / 0.875,
// crop the middle, normalise. Both go through the folder again and again for S seconds, on N threads. epoch:
// a Loader of batches of 32 over the folder, once, N workers. One line of JSON.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/system.h"
#include "enxerto/data/loader.h"
#include "enxerto/data/open.h"
#include "enxerto/image/decode.h"

namespace {

using namespace enxerto;

struct Arguments {
  std::string task, folder;
  int threads = 1, size = 224, images = 0;
  double seconds = 3;
  bool augment = false;
  Decode decode = Decode::exact;
  Filter filter = Filter::bilinear;
};

Arguments parse(int count, char** arguments) {
  Arguments out;
  if (count < 3) throw Error(ErrorKind::usage, "usage: bench_pictures decode|prepare|epoch FOLDER [options]");
  out.task = arguments[1];
  out.folder = arguments[2];
  for (int i = 3; i < count; ++i) {
    const std::string flag = arguments[i];
    if (flag == "--augment") {
      out.augment = true;
      continue;
    }
    if (++i == count) throw Error(ErrorKind::usage, flag + " needs a value");
    const char* value = arguments[i];
    if (flag == "--threads")
      out.threads = std::atoi(value);
    else if (flag == "--size")
      out.size = std::atoi(value);
    else if (flag == "--images")
      out.images = std::atoi(value);
    else if (flag == "--seconds")
      out.seconds = std::atof(value);
    else if (flag == "--decode")
      out.decode = parse_decode(value);
    else if (flag == "--filter")
      out.filter = parse_filter(value);
    else
      throw Error(ErrorKind::usage, "there is no " + flag);
  }
  return out;
}

Preprocess preprocess_of(const Arguments& arguments) {
  Preprocess out = Preprocess::imagenet(arguments.size, arguments.size);
  out.crop_fraction = 0.875;
  out.decode = arguments.decode;
  out.filter = arguments.filter;
  return out;
}

/// Calls `work(thread, index)` on all threads for so many seconds, over `files` pictures; how many were done.
template <class Work>
std::int64_t repeat(const Arguments& arguments, std::size_t files, const Work& work) {
  std::atomic<std::int64_t> next{0};
  const double end = now_seconds() + arguments.seconds;
  const auto run = [&](int thread) {
    // At least once through the folder, so that all runs have the same pictures.
    for (std::int64_t i; (i = next++) < static_cast<std::int64_t>(files) || now_seconds() < end;)
      work(thread, static_cast<std::size_t>(i) % files);
  };
  {
    std::vector<std::jthread> others;
    for (int thread = 1; thread < arguments.threads; ++thread) others.emplace_back(run, thread);
    run(0);
  }
  return next - arguments.threads;
}

std::int64_t bench_decode(const Arguments& arguments, const std::vector<std::string>& files, double& began) {
  std::vector<std::vector<std::uint8_t>> bytes;
  for (const std::string& file : files) bytes.push_back(read_file(file));
  began = now_seconds();
  return repeat(arguments, bytes.size(), [&](int, std::size_t i) { decode_image(bytes[i]); });
}

std::int64_t bench_prepare(const Arguments& arguments, const std::vector<std::string>& files, double& began) {
  const Preprocess preprocess = preprocess_of(arguments);
  std::vector<std::vector<float>> out(
      static_cast<std::size_t>(arguments.threads),
      std::vector<float>(static_cast<std::size_t>(preprocess.shape().size())));
  for (const std::string& file : files) read_file(file);  // warms the system's cache
  began = now_seconds();
  return repeat(arguments, files.size(), [&](int thread, std::size_t i) {
    preprocess.apply(source_of(files[i]), out[static_cast<std::size_t>(thread)]);
  });
}

std::int64_t bench_epoch(const Arguments& arguments, const std::vector<std::string>& files, double& began) {
  const FileDataset data(files, std::vector<std::int32_t>(files.size(), 0), {"all"});
  LoaderConfig config;
  config.workers = arguments.threads;
  config.preprocess = preprocess_of(arguments);
  config.shuffle = true;
  if (arguments.augment) {
    config.augment.flip = 0.5;
    config.augment.min_area = 0.08;
  }
  began = now_seconds();
  Loader loader(data, config);
  loader.start(0);
  std::int64_t done = 0;
  for (Batch batch; loader.next(batch);) done += static_cast<std::int64_t>(batch.labels.size());
  return done;
}

int run(int count, char** values) {
  const Arguments arguments = parse(count, values);
  std::vector<std::string> files = list_pictures(arguments.folder);
  if (arguments.images > 0 && files.size() > static_cast<std::size_t>(arguments.images))
    files.resize(static_cast<std::size_t>(arguments.images));
  double began = 0;
  std::int64_t done = 0;
  if (arguments.task == "decode")
    done = bench_decode(arguments, files, began);
  else if (arguments.task == "prepare")
    done = bench_prepare(arguments, files, began);
  else if (arguments.task == "epoch")
    done = bench_epoch(arguments, files, began);
  else
    throw Error(ErrorKind::usage, "the task is decode, prepare or epoch, not " + arguments.task);
  const double seconds = now_seconds() - began;
  const nlohmann::json line = {
      {"task", arguments.task},       {"images", done},
      {"seconds", seconds},           {"images_per_second", static_cast<double>(done) / seconds},
      {"threads", arguments.threads}, {"peak_memory_bytes", peak_memory_bytes()},
      {"chip", chip_name()}};
  std::puts(line.dump().c_str());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_pictures: %s\n", error.what());
    return 2;
  }
}
