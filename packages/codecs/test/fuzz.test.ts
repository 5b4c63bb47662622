import { compressSync } from 'lz4-napi'
import { describe } from 'vitest'
import { lz4 } from '../src/lz4.ts'
import { lzo } from '../src/lzo.ts'
import { zstd } from '../src/zstd.ts'
import { contents, fuzz, written } from './fuzzing.ts'
import { fixture } from './support.ts'

/** Magic, length, block: without checksum or end mark. */
function legacyFrame(content: Uint8Array): Uint8Array {
  const block = compressSync(Buffer.from(content)).subarray(4)
  const frame = Buffer.concat([Buffer.from('02214c1800000000', 'hex'), block])
  frame.writeUInt32LE(block.length, 4)
  return frame
}

const linked = lz4({ blockBytes: 65_536, linkedBlocks: true, blockChecksums: true })

describe('mutations', async () => {
  fuzz([
    { label: 'lz4', codec: lz4(), objects: [...(await written(lz4({ blockBytes: 65_536 }))), ...(await written(linked))], share: 0.8 },
    {
      label: 'lz4, legacy frames',
      codec: { ...lz4(), checksummed: false },
      objects: contents.slice(1, 3).map(legacyFrame),
      share: 0.2,
    },
    { label: 'zstd', codec: zstd(), objects: await written(zstd()), share: 1 },
    {
      label: 'lzo',
      codec: lzo(),
      objects: [fixture('backup-history.lzo'), fixture('backup-label.tar.lzo'), fixture('pg-control.tar.lzo')],
      share: 1,
    },
  ])
})
