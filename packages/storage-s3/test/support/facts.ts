/** What is claimed for this store: its tests prove it, and the reference of storages is made from it. */
export const storageFacts = {
  title: 'S3',
  package: '@waltz/storage-s3',
  server: 'radosgw (Ceph)',
  notTried:
    'Amazon S3 and the other providers in the table `s3Providers`: their rows are tested against a small server that behaves as theirs is said to. Alibaba OSS: by the S3 tests only',
  /** On radosgw, after its quirks were taken from the table or found out. */
  capabilities: { copy: true, conditionalPut: true, conditionalMultipart: 'claim', ifMatch: true, rangedGet: true, maxDeleteBatch: 1000 },
  largestObject: '10,000 parts: 195 GiB unless `S3_MAX_PART_SIZE` says otherwise',
  unclaimed: {},
  refused: {},
  /** The smallest part that S3 takes. */
  partBytes: 5 * 2 ** 20,
  races: 1000,
  large: 'soak',
  network: [
    {
      name: 'in parts of 5 MiB',
      http: true,
      partBytes: 5 * 2 ** 20,
      requests: {
        whole: /^PUT (?!.*[?&](partNumber|uploadId)=)/,
        part: /^PUT .*[?&]partNumber=/,
        complete: /^POST .*[?&]uploadId=/,
        get: /^GET /,
        delete: /^(POST .*[?&]delete|DELETE )/,
      },
      cannotHappen: [],
    },
  ],
} as const
