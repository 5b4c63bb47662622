import { storageFacts } from './support/facts.ts'
import { testGcsFaults } from './support/network-faults.ts'

const [resumable, composed] = storageFacts.network

testGcsFaults('GCS store on a bad day', [
  { ...resumable, options: { chunkBytes: resumable.partBytes } },
  { ...composed, options: { chunkBytes: composed.partBytes, pieceConcurrency: 2 } },
])
