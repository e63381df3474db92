/* Locks, conditions and threads, by the names of POSIX threads or of Windows.
 *
 * A thread's function has the type CTC_SHIM_THREAD_RESULT CTC_SHIM_THREAD_CALL name(void *). */
#ifndef CTC_SHIM_SYSTEM_H
#define CTC_SHIM_SYSTEM_H
#include "base.h"

enum { CTC_SHIM_WAIT_MS = 100 }; /* of ctc_shim_condition_wait */

#if defined(_WIN32)
#define CTC_SHIM_THREAD_RESULT DWORD
#define CTC_SHIM_THREAD_CALL WINAPI
typedef SRWLOCK ctc_shim_lock;
typedef CONDITION_VARIABLE ctc_shim_condition;
typedef HANDLE ctc_shim_thread_id;

CTC_SHIM_LOCAL void ctc_shim_lock_init(ctc_shim_lock *lock) { InitializeSRWLock(lock); }
CTC_SHIM_LOCAL void ctc_shim_lock_take(ctc_shim_lock *lock) { AcquireSRWLockExclusive(lock); }
CTC_SHIM_LOCAL void ctc_shim_lock_leave(ctc_shim_lock *lock) { ReleaseSRWLockExclusive(lock); }
CTC_SHIM_LOCAL void ctc_shim_lock_destroy(ctc_shim_lock *lock) { (void)lock; }
CTC_SHIM_LOCAL void ctc_shim_condition_init(ctc_shim_condition *condition) {
    InitializeConditionVariable(condition);
}
CTC_SHIM_LOCAL void ctc_shim_condition_signal(ctc_shim_condition *condition) {
    WakeConditionVariable(condition);
}
CTC_SHIM_LOCAL void ctc_shim_condition_destroy(ctc_shim_condition *condition) { (void)condition; }
CTC_SHIM_LOCAL int ctc_shim_condition_wait(ctc_shim_condition *condition, ctc_shim_lock *lock) {
    return SleepConditionVariableSRW(condition, lock, CTC_SHIM_WAIT_MS, 0) != 0;
}
CTC_SHIM_LOCAL int ctc_shim_thread_start(ctc_shim_thread_id *id, DWORD(WINAPI *run)(void *),
                                         void *argument) {
    *id = CreateThread(NULL, 0, run, argument, 0, NULL);
    return *id != NULL;
}
CTC_SHIM_LOCAL void ctc_shim_thread_join(ctc_shim_thread_id id) {
    WaitForSingleObject(id, INFINITE);
    CloseHandle(id);
}
#else
#define CTC_SHIM_THREAD_RESULT void *
#define CTC_SHIM_THREAD_CALL
typedef pthread_mutex_t ctc_shim_lock;
typedef pthread_cond_t ctc_shim_condition;
typedef pthread_t ctc_shim_thread_id;

CTC_SHIM_LOCAL void ctc_shim_lock_init(ctc_shim_lock *lock) { pthread_mutex_init(lock, NULL); }
CTC_SHIM_LOCAL void ctc_shim_lock_take(ctc_shim_lock *lock) { pthread_mutex_lock(lock); }
CTC_SHIM_LOCAL void ctc_shim_lock_leave(ctc_shim_lock *lock) { pthread_mutex_unlock(lock); }
CTC_SHIM_LOCAL void ctc_shim_lock_destroy(ctc_shim_lock *lock) { pthread_mutex_destroy(lock); }
CTC_SHIM_LOCAL void ctc_shim_condition_init(ctc_shim_condition *condition) {
    pthread_cond_init(condition, NULL);
}
CTC_SHIM_LOCAL void ctc_shim_condition_signal(ctc_shim_condition *condition) {
    pthread_cond_signal(condition);
}
CTC_SHIM_LOCAL void ctc_shim_condition_destroy(ctc_shim_condition *condition) {
    pthread_cond_destroy(condition);
}
/* Waits at most CTC_SHIM_WAIT_MS; 0 when the time is over. */
CTC_SHIM_LOCAL int ctc_shim_condition_wait(ctc_shim_condition *condition, ctc_shim_lock *lock) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += CTC_SHIM_WAIT_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(condition, lock, &until) == 0;
}
/* 0 where the system starts no more threads. */
CTC_SHIM_LOCAL int ctc_shim_thread_start(ctc_shim_thread_id *id, void *(*run)(void *),
                                         void *argument) {
    return pthread_create(id, NULL, run, argument) == 0;
}
CTC_SHIM_LOCAL void ctc_shim_thread_join(ctc_shim_thread_id id) { pthread_join(id, NULL); }
#endif
#endif
