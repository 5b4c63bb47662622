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
export { createFaultProxy, type FaultProxy, type FaultProxyOptions } from './fault-proxy.ts'
export { createKeystoneFake, type KeystoneFake, type KeystoneFakeOptions, type KeystonePeople } from './keystone-fake.ts'
export { startKeyServices, type KeyServices } from './key-services.ts'
export { awsFailure, createAwsKmsFake, type AwsKmsFake, type AwsKmsFakeOptions } from './key-services-aws.ts'
export { createYandexCloudFake, yandexProblem, type YandexCloudFake, type YandexCloudFakeOptions } from './key-services-yandex.ts'
export { startHttpFake, type HttpAnswer, type HttpFake, type SeenRequest } from './key-services-http.ts'
export { faultStore } from './fault-store.ts'
export type { Disturbance, FaultPlan, FaultRule, FaultStore, Mutation, StoreOperation } from './fault-store.ts'
export { fixturePath } from './fixtures.ts'
export { fixedClock, type FixedClock } from './fixed-clock.ts'
export { seededRandom, type SeededRandom } from './seeded-random.ts'
export { checkRepositoryStrictly, type StrictOptions } from './strict/check-repository.ts'
export type { StrictReport } from './strict/report.ts'
export { missingForRadosgw, startRadosgw, type Radosgw, type RadosgwFacts, type S3Keys } from './servers/radosgw.ts'
export { missingForSwift, startSwift, type Swift, type SwiftFacts } from './servers/swift.ts'
export { missingForAzurite, startAzurite, type Azurite, type AzuriteFacts } from './servers/azurite.ts'
export { missingForSshd, startSshd, type Sshd, type SshdFacts, type SshdOptions } from './servers/sshd.ts'
export { signedS3Request, type S3Access, type S3Request } from './servers/s3-request.ts'
export { createSwiftContainer, swiftSession, type SwiftAccount, type SwiftSession } from './servers/swift-request.ts'
export { accepts, freePorts, listeningPorts } from './servers/sockets.ts'
export type { ServerFacts, ServerOwner, ServerUse } from './servers/start-server.ts'
export { sharedServer, type SharedServer } from './servers/shared-server.ts'
export type { SharedServerName, SharedServers } from './servers/shared-kinds.ts'
export { startGcsFake, type GcsFake, type GcsFakeOptions } from './gcs-fake.ts'
export { FAKE_SUBJECT_TOKEN, fakeFederatedCredentials } from './gcs-fake-token.ts'
export { azureEnvironment, s3Environment, sshEnvironment, swiftEnvironment } from './servers/storage-environment.ts'
export type { StorageEnvironment } from './servers/storage-environment.ts'
export { casesFirstIn, reasonAgainst, type NetworkForm } from './network-forms.ts'
export { largeRepository, type LargeRepository, type LargeRepositoryOptions } from './large-repository.ts'
export { formsToRun, soaking } from './soak.ts'
