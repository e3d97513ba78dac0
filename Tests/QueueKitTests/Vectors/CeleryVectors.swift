/// Messages and results as Celery 5.7 with kombu 5.7 wrote them to RabbitMQ and Redis.
enum CeleryVectors {
    static let plainHeaders = #"""
        {"lang":"py","task":"proj.add","id":"11111111-1111-4111-8111-111111111111","shadow":null,"eta":null,"expires":null,"group":null,"group_index":null,
         "retries":0,"timelimit":[null,null],"root_id":"11111111-1111-4111-8111-111111111111","parent_id":null,"argsrepr":"(2, 3)","kwargsrepr":"{}",
         "origin":"gen15750@vm","ignore_result":false,"replaced_task_nesting":0,"stamped_headers":null,"stamps":{}}
        """#
    static let plainProperties = #"""
        {"content_type":"application/json","content_encoding":"utf-8","delivery_mode":2,"priority":0,
         "correlation_id":"11111111-1111-4111-8111-111111111111","reply_to":"fa589104-a0ce-36e2-9efa-f2b95f569c18"}
        """#
    static let plainBody = #"[[2, 3], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#

    /// With countdown=10, expires=60, priority=5, time_limit=30, soft_time_limit=20, ignore_result, shadow, a header and a chain.
    static let optionHeaders = #"""
        {"lang":"py","task":"proj.add","id":"22222222-2222-4222-8222-222222222222","shadow":"shadow.add","eta":"2026-11-24T02:12:33.750195+00:00",
         "expires":"2026-11-24T02:13:23.750195+00:00","group":"g","group_index":1,"retries":2,"timelimit":[30,20],"root_id":"r","parent_id":"p",
         "argsrepr":"(2,)","kwargsrepr":"{'y': 3}","origin":"gen15750@vm","ignore_result":true,"replaced_task_nesting":0,"stamped_headers":null,"stamps":{},
         "traceparent":"00-x"}
        """#
    static let optionProperties = #"""
        {"content_type":"application/json","content_encoding":"utf-8","delivery_mode":2,"priority":5,"expiration":"60000",
         "correlation_id":"22222222-2222-4222-8222-222222222222"}
        """#
    static let optionBody = #"""
        [[2],{"y":3},{"callbacks":null,"errbacks":null,"chain":[
         {"task":"proj.tsum","args":[],"kwargs":{},"options":{"task_id":"51e6","reply_to":"fa58"},"subtask_type":null,"immutable":false}],"chord":null}]
        """#

    static let success = #"""
        {"status":"SUCCESS","result":5,"traceback":null,"children":[],"date_done":"2026-11-24T02:13:11.798016+00:00","task_id":"cb854e90-892d-4fb3-85f7-d9ed9dd0a4eb"}
        """#
    static let failure = #"""
        {"status":"FAILURE","result":{"exc_type":"ValueError","exc_message":["boom"],"exc_module":"builtins"},"traceback":"Traceback (most recent call last):\n","children":[],
         "date_done":"2026-11-24T02:13:11.798016+00:00","task_id":"cb854e90-892d-4fb3-85f7-d9ed9dd0a4eb"}
        """#
    static let retry = #"""
        {"status":"RETRY","result":{"exc_type":"KeyError","exc_message":["again"],"exc_module":"builtins"},"traceback":null,"children":[[["761b",null],null]],
         "date_done":null,"task_id":"cb854e90-892d-4fb3-85f7-d9ed9dd0a4eb"}
        """#
    static let revoked = #"""
        {"status":"REVOKED","result":{"exc_type":"TaskRevokedError","exc_message":["expired"],"exc_module":"celery.exceptions"},"traceback":null,"children":[],
         "date_done":"2026-11-24T02:13:11.798016+00:00","task_id":"cb854e90-892d-4fb3-85f7-d9ed9dd0a4eb"}
        """#
}
