#include "enxerto/zoo/sources.h"

#include <algorithm>
#include <array>
#include <vector>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

using std::string_view;

constexpr string_view imagenet = "ImageNet-1K, validation";
constexpr int squashed = 0;

// URLs, accuracies and sizes as torchvision 0.28.0 has them in the Weights of torchvision/models/*.py. The
// names of its files end in the first 8 digits of their SHA-256.
constexpr Source torchvision(string_view net, string_view version, string_view file, string_view sha256,
                             double top1, double top5, int resize_px = 256,
                             Normalization normalization = Normalization::imagenet) {
  return {.net = net,
          .version = version,
          .origin = "torchvision",
          .folder = "https://download.pytorch.org/models/",
          .file = file,
          .sha256 = sha256,
          .md5 = "",
          .top1 = top1,
          .top5 = top5,
          .figures_data = imagenet,
          .figures_page = "https://docs.pytorch.org/vision/stable/models.html",
          .license = "BSD-3-Clause",
          .license_note =
              "torchvision is under BSD-3-Clause; of its weights it says that they \"may have their "
              "own licenses or terms and conditions derived from the dataset used for training\"",
          .normalization = normalization,
          .resize_px = resize_px,
          .crop_px = 224};
}

struct Terms {
  string_view license, note;
};
constexpr Terms oxford = {
    "CC-BY-4.0",
    "Keras: \"ported from the ones released by VGG at Oxford under the Creative Commons "
    "Attribution License\""};
constexpr Terms kaiming_he = {"MIT",
                              "Keras: \"ported from the ones released by Kaiming He under the MIT license\""};
constexpr Terms google = {"Apache-2.0", "Keras: \"released under the Apache License\" of tensorflow/models"};
constexpr Terms keras_itself = {"Apache-2.0", "Keras, which the file belongs to, is under Apache-2.0"};

constexpr string_view keras_page = "https://keras.io/api/applications/";

// URLs and MD5 as keras 3.15.1 has them in keras/src/applications/*.py, which publishes none of MobileNet 1
// and 2.
constexpr Source keras(string_view net, string_view folder, string_view file, string_view md5, double top1,
                       double top5, Normalization normalization, const Terms& terms,
                       string_view page = keras_page) {
  return {.net = net,
          .version = "keras",
          .origin = "Keras",
          .folder = folder,
          .file = file,
          .sha256 = "",
          .md5 = md5,
          .top1 = top1,
          .top5 = top5,
          .figures_data = imagenet,
          .figures_page = page,
          .license = terms.license,
          .license_note = terms.note,
          .normalization = normalization,
          .resize_px = squashed,
          .crop_px = 224};
}

// The README of the repository has the errors and the names, which end in the first 8 digits of the SHA-256.
constexpr Source akamaster(string_view net, string_view file, string_view sha256, double top1) {
  return {.net = net,
          .version = "v1",
          .origin = "akamaster",
          .folder = "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/",
          .file = file,
          .sha256 = sha256,
          .md5 = "",
          .top1 = top1,
          .top5 = 0,
          .figures_data = "CIFAR-10, test",
          .figures_page = "https://github.com/akamaster/pytorch_resnet_cifar10",
          .license = "BSD-2-Clause",
          .license_note = "the repository with the file is under BSD-2-Clause",
          .normalization = Normalization::imagenet,
          .resize_px = 32,
          .crop_px = 32};
}

constexpr string_view keras_vgg16 = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/",
                      keras_vgg19 = "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/",
                      keras_resnet = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/",
                      keras_mobilenet =
                          "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/",
                      keras_mobilenet_v2 =
                          "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/",
                      keras_mobilenet_v3 =
                          "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3/";
constexpr string_view alphas_page = "https://pypi.org/project/Keras-Applications/1.0.8/ (mobilenet.py)",
                      minimalistic_page = "https://pypi.org/project/keras/3.15.1/ (mobilenet_v3.py)";
constexpr Normalization caffe = Normalization::caffe_keras, tf = Normalization::half;

// The files of a net stand together, its default first.
constexpr std::array all_sources = std::to_array<Source>({
    torchvision("alexnet", "v1", "alexnet-owt-7be5be79.pth", "7be5be79", 0.56522, 0.79066),
    torchvision("vgg11", "v1", "vgg11-8a719046.pth", "8a719046", 0.69020, 0.88628),
    torchvision("vgg13", "v1", "vgg13-19584684.pth", "19584684", 0.69928, 0.89246),
    torchvision("vgg16", "v1", "vgg16-397923af.pth", "397923af", 0.71592, 0.90382),
    keras("vgg16", keras_vgg16, "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
          "64373286793e3c8b2b4e3219cbf3544b", 0.713, 0.901, caffe, oxford),
    torchvision("vgg19", "v1", "vgg19-dcbb9e9d.pth", "dcbb9e9d", 0.72376, 0.90876),
    keras("vgg19", keras_vgg19, "vgg19_weights_tf_dim_ordering_tf_kernels.h5",
          "cbe5617147190e668d6c5d5026f83318", 0.713, 0.900, caffe, oxford),
    torchvision("vgg11_bn", "v1", "vgg11_bn-6002323d.pth", "6002323d", 0.70370, 0.89810),
    torchvision("vgg13_bn", "v1", "vgg13_bn-abd245e5.pth", "abd245e5", 0.71586, 0.90374),
    torchvision("vgg16_bn", "v1", "vgg16_bn-6c64b313.pth", "6c64b313", 0.73360, 0.91516),
    torchvision("vgg19_bn", "v1", "vgg19_bn-c79401a0.pth", "c79401a0", 0.74218, 0.91842),
    // Its graph lacks torchvision's input transform, which makes one normalization of the other.
    torchvision("googlenet", "v1", "googlenet-1378be20.pth", "1378be20", 0.69778, 0.89530, 256,
                Normalization::half),
    // The same file: it has the auxiliary heads.
    torchvision("googlenet_aux", "v1", "googlenet-1378be20.pth", "1378be20", 0.69778, 0.89530, 256,
                Normalization::half),
    torchvision("resnet18", "v1", "resnet18-f37072fd.pth", "f37072fd", 0.69758, 0.89078),
    torchvision("resnet34", "v1", "resnet34-b627a593.pth", "b627a593", 0.73314, 0.91420),
    torchvision("resnet50", "v2", "resnet50-11ad3fa6.pth", "11ad3fa6", 0.80858, 0.95434, 232),
    torchvision("resnet50", "v1", "resnet50-0676ba61.pth", "0676ba61", 0.76130, 0.92862),
    torchvision("resnet101", "v2", "resnet101-cd907fc2.pth", "cd907fc2", 0.81886, 0.95780, 232),
    torchvision("resnet101", "v1", "resnet101-63fe2227.pth", "63fe2227", 0.77374, 0.93546),
    torchvision("resnet152", "v2", "resnet152-f82ba261.pth", "f82ba261", 0.82284, 0.96002, 232),
    torchvision("resnet152", "v1", "resnet152-394f9c45.pth", "394f9c45", 0.78312, 0.94046),
    torchvision("mobilenet_v2", "v2", "mobilenet_v2-7ebf99e0.pth", "7ebf99e0", 0.72154, 0.90822, 232),
    torchvision("mobilenet_v2", "v1", "mobilenet_v2-b0353104.pth", "b0353104", 0.71878, 0.90286),
    torchvision("mobilenet_v3_small", "v1", "mobilenet_v3_small-047dcff4.pth", "047dcff4", 0.67668, 0.87402),
    torchvision("mobilenet_v3_large", "v2", "mobilenet_v3_large-5c1a4163.pth", "5c1a4163", 0.75274, 0.92566,
                232),
    torchvision("mobilenet_v3_large", "v1", "mobilenet_v3_large-8738ca79.pth", "8738ca79", 0.74042, 0.91340),
    torchvision("squeezenet1_0", "v1", "squeezenet1_0-b66bff10.pth", "b66bff10", 0.58092, 0.80420),
    torchvision("squeezenet1_1", "v1", "squeezenet1_1-b8a52dc0.pth", "b8a52dc0", 0.58178, 0.80624),
    keras("resnet50_keras", keras_resnet, "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
          "2cb95161c43110f7111970584f804107", 0.749, 0.921, caffe, kaiming_he),
    keras("resnet101_keras", keras_resnet, "resnet101_weights_tf_dim_ordering_tf_kernels.h5",
          "f1aeb4b969a6efcfb50fad2f0c20cfc5", 0.764, 0.928, caffe, keras_itself),
    keras("resnet152_keras", keras_resnet, "resnet152_weights_tf_dim_ordering_tf_kernels.h5",
          "100835be76be38e30d865e96f2aaae62", 0.766, 0.931, caffe, keras_itself),
    keras("mobilenet_v1", keras_mobilenet, "mobilenet_1_0_224_tf.h5", "", 0.704, 0.895, tf, google),
    keras("mobilenet_v1_0.75", keras_mobilenet, "mobilenet_7_5_224_tf.h5", "", 0.684, 0, tf, google,
          alphas_page),
    keras("mobilenet_v1_0.5", keras_mobilenet, "mobilenet_5_0_224_tf.h5", "", 0.637, 0, tf, google,
          alphas_page),
    keras("mobilenet_v1_0.25", keras_mobilenet, "mobilenet_2_5_224_tf.h5", "", 0.506, 0, tf, google,
          alphas_page),
    keras("mobilenet_v2_keras", keras_mobilenet_v2,
          "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", "", 0.713, 0.901, tf, google),
    keras("mobilenet_v3_small_minimalistic", keras_mobilenet_v3,
          "weights_mobilenet_v3_small_minimalistic_224_1.0_float.h5", "99cd97fb2fcdad2bf028eb838de69e37",
          0.619, 0, tf, keras_itself, minimalistic_page),
    keras("mobilenet_v3_large_minimalistic", keras_mobilenet_v3,
          "weights_mobilenet_v3_large_minimalistic_224_1.0_float.h5", "675e7b876c45c57e9e63e6d90a36599c",
          0.723, 0, tf, keras_itself, minimalistic_page),
    akamaster("resnet20_cifar", "resnet20-12fca82f.th", "12fca82f", 0.9173),
    akamaster("resnet32_cifar", "resnet32-d509ac18.th", "d509ac18", 0.9263),
    akamaster("resnet44_cifar", "resnet44-014dd654.th", "014dd654", 0.9310),
    akamaster("resnet56_cifar", "resnet56-4bfd9763.th", "4bfd9763", 0.9339),
    akamaster("resnet110_cifar", "resnet110-1d1ed7c2.th", "1d1ed7c2", 0.9368),
});

[[noreturn]] void fail_unknown(string_view name, string_view net) {
  std::vector<std::string> names;
  for (const Source& source : sources_of(net)) names.push_back(text(net, ":", source.version));
  if (!names.empty())
    throw Error(ErrorKind::usage,
                text("there are no weights \"", name, "\"; of ", net, " there are ", join(names, ", ")));
  for (const Source& source : all_sources)
    if (names.empty() || names.back() != source.net) names.emplace_back(source.net);
  throw Error(ErrorKind::usage,
              text("no official weights of \"", net, "\" are known; there are those of ", join(names, ", ")));
}

}  // namespace

std::string Source::name() const {
  if (sources_of(net).front().version == version) return std::string(net);
  return text(net, ":", version);
}

std::span<const Source> sources() { return all_sources; }

std::span<const Source> sources_of(string_view net) {
  const auto first = std::ranges::find(all_sources, net, &Source::net);
  const auto end =
      std::find_if(first, all_sources.end(), [&](const Source& each) { return each.net != net; });
  return {first, end};
}

const Source& find_source(string_view name) {
  const std::size_t colon = name.find(':');
  const string_view net = name.substr(0, colon);
  const auto candidates = sources_of(net);
  if (candidates.empty()) fail_unknown(name, net);
  if (colon == string_view::npos) return candidates.front();
  const auto found = std::ranges::find(candidates, name.substr(colon + 1), &Source::version);
  if (found == candidates.end()) fail_unknown(name, net);
  return *found;
}

const Source* find_source_of_file(std::string_view file_name) {
  const auto found = std::ranges::find(sources(), file_name, &Source::file);
  return found == sources().end() ? nullptr : &*found;
}

Preprocess preprocess_of(const Source& source) {
  Preprocess made = Preprocess::of(source.normalization, source.crop_px, source.crop_px);
  if (source.resize_px == squashed) {
    made.fit = Fit::squash;
    made.crop_fraction = 1;
  } else {
    made.fit = Fit::crop;
    made.crop_fraction = static_cast<double>(source.crop_px) / source.resize_px;
  }
  return made;
}

}  // namespace enxerto
