import { testRedisConformance } from './redis-suite.ts';

testRedisConformance(['iovalkey', 'node-redis']);
