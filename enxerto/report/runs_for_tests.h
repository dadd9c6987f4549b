/// Run folders that the tests write.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace enxerto {

/// A folder that goes with it.
class RunForTests {
 public:
  RunForTests();
  ~RunForTests();
  RunForTests(const RunForTests&) = delete;
  RunForTests& operator=(const RunForTests&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  void write(const char* name, const std::string& content) const;
  std::string read(const char* name) const;

 private:
  std::filesystem::path folder_;
};

nlohmann::json config_for_tests(const std::vector<std::string>& classes);
/// Of each class `n` pictures, of which the first `missed` are taken for the next class.
nlohmann::json evaluation_for_tests(const std::vector<std::string>& classes, int n, int missed);
/// Steps and epochs, each a line.
std::string log_for_tests(int epochs);
nlohmann::json result_for_tests(const std::vector<std::string>& classes, int epochs);

/// All of a run that ended.
void write_finished(const RunForTests& run, const std::vector<std::string>& classes);

}  // namespace enxerto
