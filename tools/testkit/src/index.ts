/**
 * What tests of all packages share: real PostgreSQL servers of every supported version, programs run as the ordinary
 * user, temporary folders, proofs of content, a store that fails on purpose, and a reader that accepts of a repository
 * only what is strictly right.
 */
export { debianPostgres, nodeBinary, postgresBinaries, postgresMajors, programExists } from './binaries.ts'
export type { DebianPostgres, PostgresBinaries, PostgresMajor } from './binaries.ts'
export { copyServerFile, freePort, startCluster, startRestored, writeServerFile } from './cluster.ts'
export type {
  ClusterOptions,
  ConnectionSettings,
  RestoredOptions,
  ServerSettings,
  StartOptions,
  StartOutcome,
  TestCluster,
} from './cluster.ts'
export { makeTablespaceFolder, majorOf } from './cluster-template.ts'
export { quoteIdentifier, quoteLiteral } from './pg-client.ts'
export { baseEnvironment, describeEnd, mustRun, runAs, signalNumber, startAs } from './run-as.ts'
export type { RunOptions, RunResult, RunningProcess } from './run-as.ts'
export { copyRunningCluster, createStandby, type StandbyOptions } from './standby.ts'
export { giveToOrdinaryUser, temporaryFolder, type TemporaryFolder } from './temporary-folder.ts'
export { ordinaryUid, ordinaryUser, runningAsRoot, type OrdinaryUser } from './users.ts'
export { waltzCommand, waltzDistribution } from './waltz-command.ts'
export { workspaceRoot } from './workspace-root.ts'
export { contentProof, directoryHash, directoryListing, fileHash, formatListing, parseListing } from './content-proof.ts'
export type { ListedEntry, TableProof } from './content-proof.ts'
export { faultStore } from './fault-store.ts'
export type { Disturbance, FaultPlan, FaultRule, FaultStore, Mutation, StoreOperation } from './fault-store.ts'
export { fixturePath } from './fixtures.ts'
export { fixedClock, type FixedClock } from './fixed-clock.ts'
export { seededRandom, type SeededRandom } from './seeded-random.ts'
export { checkRepositoryStrictly, type StrictOptions } from './strict/check-repository.ts'
export type { StrictReport } from './strict/report.ts'
