const NO_REQUESTS = [
  'the store does not speak HTTP',
  ...['whole', 'part', 'complete'].map((request) => `the store has no request line of its own for: ${request}`),
]

/** What is claimed for this store: its tests prove it, and the reference of storages is made from it. */
export const storageFacts = {
  title: 'SSH',
  package: '@waltz/storage-ssh',
  server: "OpenSSH's sshd; servers without its extensions by one made for the tests",
  notTried: 'SFTP servers of others',
  capabilities: { copy: false, conditionalPut: true, conditionalMultipart: 'store', ifMatch: false, rangedGet: true, maxDeleteBatch: 1000 },
  largestObject: 'what the file system takes',
  unclaimed: { ifMatch: 'SFTP tells nothing that changes with every change of the bytes' },
  refused: {},
  partBytes: 65_536,
  races: 1000,
  large: 'soak',
  network: [
    {
      name: 'in small parts',
      http: false,
      partBytes: 200_000,
      requests: undefined,
      cannotHappen: [...NO_REQUESTS, 'its parts are smaller than what the system buffers'],
    },
    { name: 'in parts of 6 MB', http: false, partBytes: 6_000_000, requests: undefined, cannotHappen: NO_REQUESTS },
  ],
} as const
