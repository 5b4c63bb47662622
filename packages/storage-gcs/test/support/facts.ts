const COMMON = { get: /^GET .*alt=media/, delete: /^DELETE .*\/o\// }
const SMALL_PARTS = 'its parts are smaller than what the system buffers'

/** What is claimed for this store: its tests prove it, and the reference of storages is made from it. */
export const storageFacts = {
  title: 'GCS (fake)',
  package: '@waltz/storage-gcs',
  server: "a fake of the JSON API, held against Google's own client; by requests of our own and, with `WALTZ_GCS_ENGINE`, by that client",
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
      cannotHappen: [SMALL_PARTS, 'the store has no request line of its own for: complete'],
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
      cannotHappen: [SMALL_PARTS],
    },
  ],
} as const

/** The other engine: it keeps every promise, but stores no pieces in parallel. */
export const googleCloudForm = { ...storageFacts.network[0], name: "resumable uploads by Google's client" } as const
