/**
 * The storage servers and nothing else of the kit: for a program that must not need the packages which the tests need. It imports
 * no package.
 */
export { isSharedServerName, sharedKinds, type SharedServerName, type SharedServers } from './shared-kinds.ts'
export { azureEnvironment, s3Environment, sshEnvironment, swiftEnvironment } from './storage-environment.ts'
export type { StorageEnvironment } from './storage-environment.ts'
