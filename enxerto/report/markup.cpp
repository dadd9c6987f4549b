#include "enxerto/report/markup.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "enxerto/core/text.h"

namespace enxerto {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

struct Character {
  std::size_t bytes;  ///< 0 where it is no UTF-8
  char32_t code;
};

/// The first character, as RFC 3629 has it: no surrogates, nothing in more bytes than it takes.
Character first_of(std::string_view from) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(from[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || from.size() < bytes) return {0, 0};
  char32_t code = lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {0, 0};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr std::array<char32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {0, 0};
  return {bytes, code};
}

bool is_safe(char32_t code) {
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
  const bool turns = (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
                     (code >= 0x2066 && code <= 0x2069) || code == 0x061C || code == 0xFEFF;
  return !turns && code != 0xFFFE && code != 0xFFFF;
}

}  // namespace

std::string clean(std::string_view from, std::size_t most) {
  std::string out;
  for (std::size_t count = 0; !from.empty(); ++count) {
    if (count == most) return out + "…";
    const Character first = first_of(from);
    out += first.bytes > 0 && is_safe(first.code) ? from.substr(0, first.bytes) : replacement;
    from.remove_prefix(first.bytes > 0 ? first.bytes : 1);
  }
  return out;
}

std::string escape(std::string_view from, std::size_t most) {
  std::string out;
  for (const char c : clean(from, most)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string fill(std::string_view pattern, const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) {
    const std::size_t at = pattern.find("{}");
    if (at == std::string_view::npos) break;
    out += pattern.substr(0, at);
    out += value;
    pattern.remove_prefix(at + 2);
  }
  out += pattern;
  return out;
}

std::string short_path(const std::string& path) {
  const std::size_t last = path.rfind('/');
  if (last == std::string::npos || last == 0) return path;
  const std::size_t before = path.rfind('/', last - 1);
  return before == std::string::npos ? path : path.substr(before + 1);
}

std::string json_in_page(const nlohmann::json& json) {
  std::string out;
  for (const char c : json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
    out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

std::string localized(const std::string& figure, const Texts& t) {
  if (t.spoken == Language::english) return figure;
  std::string out;
  for (const char letter : figure) {
    if (letter == ',')
      out += "\u00a0";
    else
      out += letter == '.' ? ',' : letter;
  }
  return out;
}

std::string percent(Figure proportion, const Texts& t, int digits) {
  return proportion ? localized(fixed(100 * *proportion, digits), t) + " %" : no_figure;
}

std::string percent(const Bounds& bounds, const Texts& t) {
  return fill(t.bounds, {localized(fixed(100 * bounds.low, 1), t), percent(bounds.high, t)});
}

std::string short_number(Figure value, const Texts& t) {
  if (!value) return no_figure;
  const double size = std::abs(*value);
  if (size >= 1000 && size < 1e15) return grouped(std::llround(*value), t);
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.3g", *value);
  return localized(buffer.data(), t);
}

std::string grouped(std::int64_t value, const Texts& t) { return localized(with_commas(value), t); }

std::string duration(double seconds, const Texts& t) { return localized(human_seconds(seconds), t); }

std::string size_in_bytes(double bytes, const Texts& t) { return localized(human_bytes(bytes), t); }

}  // namespace enxerto
