import { testRedisConformance } from './redis-suite.ts';

testRedisConformance(['ioredis']);
