const COMMON = { get: /^GET .*alt=media/, delete: /^DELETE .*\/o\// }

/** What is claimed for this store: its tests prove it, and the reference of storages is made from it. */
export const storageFacts = {
  title: 'GCS (fake)',
  package: '@waltz/storage-gcs',
  server: "a fake of the JSON API, held against Google's own client",
  notTried: 'Google Cloud Storage itself: no test of this store has ever spoken with it',
  capabilities: { copy: true, conditionalPut: true, conditionalMultipart: 'store', ifMatch: true, rangedGet: true, maxDeleteBatch: 100 },
  largestObject: '5 TiB',
  unclaimed: {},
  refused: {},
  partBytes: 2 ** 20,
  races: 1000,
  large: 'soak',
  network: [
    {
      name: 'resumable uploads',
      http: true,
      partBytes: 2 ** 20,
      // The last piece makes the object: no request of its own does.
      requests: { ...COMMON, whole: /^POST .*uploadType=multipart/, part: /^PUT .*upload_id=/ },
    },
    {
      name: 'composed uploads',
      http: true,
      partBytes: 2 ** 20,
      requests: {
        ...COMMON,
        whole: /^POST .*uploadType=multipart&name=network/,
        part: /^POST .*uploadType=multipart&name=.waltz-pieces/,
        // A put with a condition goes through a session.
        complete: /^POST .*\/compose|^PUT .*upload_id=/,
      },
    },
  ],
} as const
