/** What is claimed for this store: its tests prove it, and the reference of storages is made from it. */
export const storageFacts = {
  title: 'File',
  package: '@waltz/storage-file',
  server: "a folder of the machine's own file system",
  notTried: 'network file systems (NFS, SMB): what they do differently is made up in tests',
  capabilities: { copy: true, conditionalPut: true, conditionalMultipart: 'store', ifMatch: false, rangedGet: true, maxDeleteBatch: 1000 },
  largestObject: 'what the file system takes',
  unclaimed: { ifMatch: 'a file system cannot replace a file only if it is still the same' },
  refused: {},
  partBytes: 2 ** 20,
  races: 1000,
  large: 'yes',
  network: 'no network lies between the store and its files',
} as const
