#include "enxerto/doctor/proposal.h"

#include <gtest/gtest.h>

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/data/open.h"
#include "enxerto/doctor/pictures_for_tests.h"

namespace enxerto {
namespace {

/// 100 pictures of "a", 50 of "b", as if groups were found.
struct Case {
  Examination examined;
  Diagnosis diagnosis;
  Case() {
    examined.classes = {"a", "b"};
    for (int i = 0; i < 150; ++i)
      examined.pictures.push_back({.name = text("n", i),
                                   .file = text("n", i),
                                   .labels = {i < 100 ? 0 : 1},
                                   .error = "",
                                   .format = {},
                                   .taken = {}});
  }
  void relate(std::vector<Group> groups) { diagnosis.related = std::move(groups); }
};

std::array<std::array<int, 3>, 2> count(const Case& its, const Proposal& proposal) {
  std::array<std::array<int, 3>, 2> counts{};
  for (std::size_t i = 0; i < proposal.places.size(); ++i)
    if (proposal.places[i].left_out == LeftOutFor::nothing)
      ++counts[static_cast<std::size_t>(its.examined.pictures[i].labels.front())]
              [static_cast<std::size_t>(proposal.places[i].split)];
  return counts;
}

TEST(Proposal, KeepsGroupsTogetherAndClassesInProportion) {
  Case its;
  std::vector<Group> groups;
  for (std::int64_t i = 0; i + 3 < 150; i += 15) groups.push_back({i, i + 1, i + 2, i + 3});
  its.relate(groups);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Proposal proposal = propose_split(its.examined, its.diagnosis, {.seed = seed});
    for (const Group& group : groups)
      for (const std::int64_t i : group)
        EXPECT_EQ(proposal.places[static_cast<std::size_t>(i)].split,
                  proposal.places[static_cast<std::size_t>(group.front())].split);
    EXPECT_EQ(count(its, proposal), (std::array<std::array<int, 3>, 2>{{{60, 20, 20}, {30, 10, 10}}}))
        << seed;
  }
}

TEST(Proposal, AnotherSeedIsAnotherSplitAndTheSameOneTheSame) {
  Case its;
  const auto split_of = [&](std::uint64_t seed) {
    std::vector<int> splits;
    for (const Place& place : propose_split(its.examined, its.diagnosis, {.seed = seed}).places)
      splits.push_back(place.split);
    return splits;
  };
  EXPECT_EQ(split_of(1), split_of(1));
  EXPECT_NE(split_of(1), split_of(2));
}

TEST(Proposal, OneOfExactCopiesIsKeptAndNoneWhereTheirLabelsDiffer) {
  Case its;
  its.diagnosis.unreadable = {7};
  its.diagnosis.exact = {{1, 2, 3}, {5, 120}};
  its.relate({{1, 2, 3}, {5, 120}});
  const Proposal proposal = propose_split(its.examined, its.diagnosis, {});
  EXPECT_EQ(proposal.places[7].left_out, LeftOutFor::unreadable);
  EXPECT_EQ(proposal.places[1].left_out, LeftOutFor::nothing);
  EXPECT_EQ(proposal.places[2].left_out, LeftOutFor::copy);
  EXPECT_EQ(proposal.places[5].left_out, LeftOutFor::conflict);
  EXPECT_EQ(proposal.places[120].left_out, LeftOutFor::conflict);
  EXPECT_EQ(proposal.pictures[0] + proposal.pictures[1] + proposal.pictures[2], 145);
}

TEST(Proposal, ASplitOfTheDatasOwnIsMended) {
  Case its;
  for (std::size_t i = 0; i < 150; i += 5) its.examined.pictures[i].split = 2;
  its.relate({{4, 5}, {10, 15}});
  const Proposal proposal = propose_split(its.examined, its.diagnosis, {});
  EXPECT_TRUE(proposal.keeps_own);
  EXPECT_EQ(proposal.places[5].split, 0);
  EXPECT_EQ(proposal.places[10].split, 2);
  EXPECT_EQ(proposal.pictures, (std::array<std::int64_t, 3>{121, 0, 29}));
  EXPECT_FALSE(propose_split(its.examined, its.diagnosis, {.anew = true}).keeps_own);
}

TEST(Proposal, SmallClassesHaveOneInEachPart) {
  Case its;
  its.examined.pictures.resize(103);  // three of "b"
  const auto counts = count(its, propose_split(its.examined, its.diagnosis, {}));
  EXPECT_EQ(counts[1], (std::array<int, 3>{1, 1, 1}));
}

TEST(Proposal, PartsThatMakeNoSenseAreErrors) {
  Case its;
  EXPECT_THROW(propose_split(its.examined, its.diagnosis, {.val = 0.5, .test = 0.5}), Error);
  EXPECT_THROW(propose_split(its.examined, its.diagnosis, {.val = -0.1}), Error);
}

TEST(Proposal, TheManifestIsReadBackAsItWasWritten) {
  FolderForTests folder;
  for (int i = 0; i < 10; ++i)
    folder.put(text("data/", i % 2 ? "cats, \"big\"" : "dogs", "/", 10 * i, "ä.png"), spots_for_tests(i));
  const Splits data = open_data(folder.path() / "data");
  const Examination examined = examine(data, {});
  const Diagnosis diagnosis = diagnose(examined, {}, 1);
  const Proposal proposal = propose_split(examined, diagnosis, {});
  std::filesystem::create_directories(folder.path() / "lists");
  write_file(folder.path() / "lists/split.csv",
             format_manifest(examined, proposal, false, folder.path() / "lists"));
  const Splits again = open_data(folder.path() / "lists/split.csv");
  EXPECT_EQ(again.train->size(), proposal.pictures[0]);
  EXPECT_EQ(again.val->size(), proposal.pictures[1]);
  EXPECT_EQ(again.test->size(), proposal.pictures[2]);
  EXPECT_EQ(again.train->classes()[0], "cats, \"big\"");
  EXPECT_NO_THROW(again.test->get(0));
}

}  // namespace
}  // namespace enxerto
