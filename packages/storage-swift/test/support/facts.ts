const REQUESTS = {
  whole: /^PUT (?!\S*_segments\/)(?!\S*multipart-manifest)/,
  part: /^PUT \S*_segments\//,
  complete: /^PUT \S*multipart-manifest=put/,
  get: /^GET (?!\S*(auth|info))/,
  delete: /^(DELETE|POST \S*bulk-delete)/,
}
const NOT_ATOMIC = 'Swift looks first and then stores, and radosgw ignores the condition, so nothing is claimed and such puts are refused'

/** What is claimed for this store: its tests prove it, and the reference of storages is made from it. */
export const storageFacts = {
  title: 'Swift',
  package: '@waltz/storage-swift',
  server: "Debian's Swift and radosgw, both with login of version 1, by the own client and by pkgcloud",
  notTried: 'a cloud of others, and a real Keystone: versions 2 and 3 log in to a fake of its documents before a real Swift',
  capabilities: { copy: true, conditionalPut: false, conditionalMultipart: 'none', ifMatch: false, rangedGet: true, maxDeleteBatch: 1000 },
  largestObject: '5 GiB in one request; larger ones of announced size in 1,000 segments',
  unclaimed: { conditionalPut: NOT_ATOMIC, conditionalMultipart: NOT_ATOMIC, ifMatch: NOT_ATOMIC },
  refused: {},
  partBytes: 2 ** 20,
  races: 0,
  large: 'soak',
  network: [
    { name: 'whole', http: true, partBytes: undefined, requests: REQUESTS, cannotHappen: ['the store takes objects in one piece'] },
    {
      name: 'in segments',
      http: true,
      partBytes: 2 ** 20,
      requests: REQUESTS,
      cannotHappen: ['its parts are smaller than what the system buffers'],
    },
  ],
} as const
