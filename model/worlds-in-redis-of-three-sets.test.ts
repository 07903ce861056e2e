import { walkInRedis } from './worlds-in-redis.ts';

walkInRedis(({ setCountMax }) => setCountMax <= 3);
